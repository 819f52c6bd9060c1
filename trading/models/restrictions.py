"""What may not be traded for the time being, and the limits that people set for themselves."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from foundation.fields import money_field
from trading.models.deployments import Deployment


class RestrictionScope(models.TextChoices):
    """What a restriction is about."""

    PLATFORM = "PLATFORM", "Whole platform"
    VENUE = "VENUE", "Exchange"
    PERSON = "PERSON", "Person"
    ACCOUNT = "ACCOUNT", "Exchange account"
    INSTRUMENT = "INSTRUMENT", "Market"
    DEPLOYMENT = "DEPLOYMENT", "Deployment"


class RestrictionState(models.TextChoices):
    """How much is forbidden; what nothing restricts is active."""

    REDUCING = "REDUCING", "Reducing: exits and cancellations only"
    HALTED = "HALTED", "Halted: stops and cancellations only"


class RestrictionCause(models.TextChoices):
    """Who or what has set it."""

    OWNER = "OWNER", "Set by its owner"
    OPERATOR = "OPERATOR", "Set by an operator"
    DAILY_LOSS = "DAILY_LOSS", "Largest daily loss reached"
    DRAWDOWN = "DRAWDOWN", "Largest drawdown reached"
    REJECTIONS = "REJECTIONS", "The exchange keeps rejecting orders"
    ORDER_RATE = "ORDER_RATE", "Too many orders a minute"
    ORDER_IN_DOUBT = "ORDER_IN_DOUBT", "Nobody knows what became of an order"
    DRIFT = "DRIFT", "The account holds less than was bought"
    MANY_DRIFT = "MANY_DRIFT", "Many accounts hold less than was bought"
    CLOCK_SKEW = "CLOCK_SKEW", "Its clock and ours differ"
    VENUE_FAILING = "VENUE_FAILING", "The exchange keeps failing"
    PRICE_MOVE = "PRICE_MOVE", "The price has leapt"
    STALE_DATA = "STALE_DATA", "Its candles are too old"
    UNUSUAL_RATE = "UNUSUAL_RATE", "Far more orders than usual"
    DUPLICATE_ORDERS = "DUPLICATE_ORDERS", "Orders were sent twice"
    RESTORED = "RESTORED", "The database is another one than before"


class ReleaseRule(models.TextChoices):
    """Who may end it."""

    AUTOMATIC = "AUTOMATIC", "By itself"
    OWNER = "OWNER", "Its owner, or an operator"
    OPERATOR = "OPERATOR", "An operator"
    TWO_OPERATORS = "TWO_OPERATORS", "Two operators"


class TradingRestriction(models.Model):
    """One reason why less than everything may be traded somewhere, from ``since_at`` on.

    ``target_key`` says where, as in ``trading.domain.trading_states``. A row that is over stays as
    history. ``spares_paper`` leaves paper accounts alone: nothing can happen to them at an exchange.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    scope = models.CharField(max_length=10, choices=RestrictionScope)
    target_key = models.CharField(max_length=80)
    target_name = models.CharField(max_length=200, help_text="In words for people.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose it is; empty where many people are concerned.",
    )
    state = models.CharField(max_length=10, choices=RestrictionState)
    cause = models.CharField(max_length=20, choices=RestrictionCause)
    reason = models.CharField(max_length=300)
    release_rule = models.CharField(max_length=15, choices=ReleaseRule)
    spares_paper = models.BooleanField(default=False)
    set_by_kind = models.CharField(max_length=20)
    set_by_identifier = models.CharField(max_length=100)
    since_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(
        max_length=100, blank=True, help_text="The first of two operators who agree to its end."
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by_kind = models.CharField(max_length=20, blank=True)
    released_by_identifier = models.CharField(max_length=100, blank=True)
    release_note = models.CharField(max_length=300, blank=True)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["target_key", "cause"],
                condition=models.Q(released_at__isnull=True),
                name="restricted_once_per_cause",
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="restriction_has_a_reason"),
        ]
        indexes = [
            models.Index(
                fields=["target_key"],
                condition=models.Q(released_at__isnull=True),
                name="restrictions_in_force",
            ),
            models.Index(fields=["owner", "-id"], name="restrictions_of_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.target_name}: {self.state}"


def _percent() -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=9, decimal_places=4, null=True, blank=True)


class ProtectionLimits(models.Model):
    """Limits on one deployment, on one exchange account, or on everything of a person.

    Each column is the field of ``trading.domain.protections.Limits`` of the same name; null is no limit.
    """

    target_key = models.CharField(max_length=80, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(
        "exchanges.ExchangeAccount",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    deployment = models.OneToOneField(
        Deployment, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    max_daily_loss_percent = _percent()
    max_drawdown_percent = _percent()
    stop_guard_stops = models.PositiveIntegerField(null=True, blank=True)
    stop_guard_window_minutes = models.PositiveIntegerField(null=True, blank=True)
    losing_streak_trades = models.PositiveIntegerField(null=True, blank=True)
    low_profit_trades = models.PositiveIntegerField(null=True, blank=True)
    low_profit_percent = _percent()
    low_profit_window_minutes = models.PositiveIntegerField(null=True, blank=True)
    pause_minutes = models.PositiveIntegerField(null=True, blank=True)
    exit_cooldown_minutes = models.PositiveIntegerField(null=True, blank=True)
    max_exposure_percent = _percent()
    max_open_positions = models.PositiveIntegerField(null=True, blank=True)
    max_open_orders = models.PositiveIntegerField(null=True, blank=True)
    price_band_percent = _percent()
    max_spread_bps = _percent()
    stale_after_seconds = models.PositiveIntegerField(null=True, blank=True)
    max_clock_skew_ms = models.PositiveIntegerField(null=True, blank=True)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.target_key


class ProtectionMark(models.Model):
    """What a limit on losses is measured from: results at the start of the day and at their best.

    One row for each target of limits and settle currency; results are net, open positions included.
    What was between two looks, or before the first, is made up for from executions and candles.
    """

    target_key = models.CharField(max_length=80)
    currency = models.CharField(max_length=20)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    day_on = models.DateField()
    day_pnl = money_field()
    peak_pnl = money_field()
    looked_at = models.DateTimeField(
        null=True, blank=True, help_text="What came later is not in it yet."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["target_key", "currency"], name="mark_once_per_target"),
        ]

    def __str__(self) -> str:
        return f"{self.target_key} {self.currency}"


class DatabaseMark(models.Model):
    """Which database the platform last found itself on; the one row there is."""

    identity = models.CharField(max_length=100, help_text="cluster/timeline/database")
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="one_database_mark"),
        ]

    def __str__(self) -> str:
        return self.identity
