"""What a deployment holds by our fills, what an account holds by the venue's word, and what is set aside."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from foundation.choices import choices_of
from foundation.fields import money_field
from market.enums import MarginMode
from trading.models.deployments import Deployment
from trading.models.orders import OrderIntent


class DeploymentPosition(models.Model):
    """The net of a deployment's fills in one instrument."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="positions")
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    quantity = money_field(default=0, help_text="Signed, in base units.")
    average_price = money_field(default=0)
    realized_pnl = money_field(default=0, help_text="Before fees, in the settle currency.")
    fees = money_field(default=0, help_text="Valued in the settle currency.")
    funding = money_field(
        default=0,
        db_default=0,
        help_text="What fundings brought, negative what they took, in the settle currency.",
    )
    stop_price = money_field(null=True, blank=True)
    target_price = money_field(null=True, blank=True)
    last_price = money_field(null=True, blank=True)
    last_price_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    entry = models.ForeignKey(
        OrderIntent,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The decision that opened it.",
    )
    unprotected_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when its stop has not been known to rest."
    )
    version = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "instrument"], name="position_once_per_deployment"
            ),
        ]
        indexes = [
            models.Index(
                fields=["unprotected_since"],
                name="positions_unprotected",
                condition=models.Q(unprotected_since__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.quantity}"


class AccountPosition(models.Model):
    """What the venue says an account holds, and how much of it no deployment of ours explains."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    quantity = money_field(help_text="The venue's net.")
    deployed_quantity = money_field(help_text="The sum of our deployments.")
    external_quantity = money_field(help_text="What was there before us or came from elsewhere.")
    drift_seen = models.PositiveSmallIntegerField(default=0)
    venue_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "instrument"], name="position_once_per_account"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.quantity}"


class Reservation(models.Model):
    """Quote currency set aside for a working buy, so that deployments sharing an account cannot spend it twice."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    intent = models.OneToOneField(OrderIntent, on_delete=models.PROTECT, related_name="reservation")
    currency = models.CharField(max_length=20)
    amount = money_field()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="reservation_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class SwapSetting(models.Model):
    """The leverage and margin mode that were set at the venue for an account's orders of a swap."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    leverage = models.PositiveSmallIntegerField()
    margin_mode = models.CharField(max_length=10, choices=choices_of(MarginMode))
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "instrument"], name="setting_once_per_swap"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.leverage}x"


class DeadManSwitch(models.Model):
    """A venue's switch that may be armed for an account: it cancels everything there unless called in time."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.OneToOneField(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    called_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.account_id} {self.called_at:%H:%M:%S}"


class FundingPayment(models.Model):
    """What a funding of a swap brought a deployment, negative what it took: its share of the account's payment."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="fundings")
    account = models.ForeignKey(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    venue_payment_id = models.CharField(max_length=64)
    amount = money_field()
    currency = models.CharField(max_length=20)
    paid_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "instrument", "venue_payment_id"], name="funding_booked_once"
            ),
        ]
        indexes = [models.Index(fields=["owner", "-id"], name="fundings_of_owner")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class FundingCursor(models.Model):
    """Up to when an account's fundings are booked, and when they are asked for again."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.OneToOneField(
        "exchanges.ExchangeAccount", on_delete=models.PROTECT, related_name="+"
    )
    booked_to = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.account_id} {self.next_at:%H:%M:%S}"
