"""What reconciliation has found that is not ours, and what it reports once a day."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from foundation.choices import choices_of
from foundation.fields import money_field
from market.enums import OrderStatus, Side


class ExternalOrder(models.Model):
    """An order that rests on a person's account and was not made here.

    It is shown, and never touched: not canceled, not adopted, not counted as ours.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    venue_order_id = models.CharField(max_length=64)
    client_order_id = models.CharField(
        max_length=64, blank=True, help_text="What whoever made it calls it; often nothing."
    )
    side = models.CharField(max_length=4, choices=choices_of(Side))
    status = models.CharField(max_length=20, choices=choices_of(OrderStatus))
    quantity = money_field()
    filled_quantity = money_field(default=0)
    venue_at = models.DateTimeField()
    first_seen_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was first missing from what rests there."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "instrument", "venue_order_id"], name="external_order_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["owner", "-seen_at"],
                name="external_orders_resting",
                condition=models.Q(gone_at__isnull=True),
            ),
            models.Index(fields=["owner", "-id"], name="external_orders_of_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.venue_order_id}"


class ReconciliationReport(models.Model):
    """What was wrong on an account in the 48 hours before a day's report; it must be nothing."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    day = models.DateField()
    made_at = models.DateTimeField()
    finding_count = models.PositiveIntegerField(default=0)
    findings = models.JSONField(
        default=list, help_text="One object each: its code, what it is about, and in words."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "day"], name="report_once_a_day"),
        ]
        indexes = [
            models.Index(
                fields=["-day"],
                name="reports_with_findings",
                condition=models.Q(finding_count__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.day}"
