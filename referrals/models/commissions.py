"""What is earned when somebody who was brought pays, and what a refund takes back."""

import uuid

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from foundation.fields import money_field
from referrals.models.attributions import Attribution


class CommissionStatus(models.TextChoices):
    """Where a commission stands; a payout takes from the sum of what is payable."""

    PENDING = "PENDING", "Pending"
    PAYABLE = "PAYABLE", "Payable"
    REVERSED = "REVERSED", "Taken back"


class Commission(models.Model):
    """What a person earned by one payment of somebody whom they brought.

    Amounts are in the currency of the payment. ``taken_back`` grows with refunds, up to ``amount``.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    attribution = models.ForeignKey(
        Attribution, on_delete=models.PROTECT, related_name="commissions"
    )
    payment_id = models.BigIntegerField(unique=True, help_text="The payment of billing.")
    payment_number = models.PositiveIntegerField(
        help_text="The how-many-th settled payment of that person it is; 1 is the first."
    )
    currency = models.CharField(max_length=10)
    net = money_field(help_text="What the payment brought after the provider's fee.")
    rate = models.DecimalField(max_digits=7, decimal_places=6)
    amount = money_field()
    taken_back = money_field(default=0)
    status = models.CharField(
        max_length=10, choices=CommissionStatus, default=CommissionStatus.PENDING
    )
    earned_at = models.DateTimeField()
    payable_from = models.DateTimeField(help_text="When the time for a refund is over.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gt=0, rate__gt=0, net__gt=0),
                name="commission_is_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(amount__lte=models.F("rate") * models.F("net")),
                name="commission_within_its_rate",
            ),
            models.CheckConstraint(
                condition=models.Q(taken_back__gte=0, taken_back__lte=models.F("amount")),
                name="commission_not_taken_back_twice",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-id"], name="commissions_of_owner"),
            models.Index(
                fields=["payable_from"],
                name="commissions_to_mature",
                condition=models.Q(status="PENDING"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.currency} for payment {self.payment_id}"


class Clawback(models.Model):
    """One refund to somebody who was brought, and what it took back; never deleted.

    A refund may be heard of before its payment: then it waits here without a commission.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    commission = models.ForeignKey(
        Commission, on_delete=models.PROTECT, null=True, blank=True, related_name="clawbacks"
    )
    refund_id = models.BigIntegerField(unique=True, help_text="The refund of billing.")
    payment_id = models.BigIntegerField(db_index=True)
    currency = models.CharField(max_length=10)
    total_refunded = money_field(help_text="Of the payment, with this refund and all before it.")
    amount = money_field(default=0, help_text="What the commission lost by it.")
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gte=0, total_refunded__gt=0),
                name="clawback_is_positive",
            ),
        ]
        triggers = [pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"Refund {self.refund_id} of payment {self.payment_id}"
