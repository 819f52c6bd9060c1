"""What currencies were worth, and what accounts were worth in them."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from exchanges.models.accounts import ExchangeAccount
from exchanges.models.venues import Venue
from foundation.fields import money_field


class ConversionRate(models.Model):
    """What one ``base`` cost in ``quote`` at a venue, told last in an hour; amounts are shown by it, never traded."""

    venue = models.ForeignKey(Venue, on_delete=models.CASCADE, related_name="+")
    base = models.CharField(max_length=20)
    quote = models.CharField(max_length=20)
    hour_at = models.DateTimeField()
    rate = money_field()
    venue_at = models.DateTimeField(help_text="When the venue told it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["venue", "base", "quote", "hour_at"], name="rate_once_per_hour"
            ),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="rate_above_zero"),
        ]
        indexes = [models.Index(fields=["hour_at"], name="rates_by_hour")]

    def __str__(self) -> str:
        return f"{self.base}/{self.quote} {self.hour_at:%Y-%m-%d %H}h"


class EquitySnapshot(models.Model):
    """What an account was worth in an hour, in the reference currency (``domain.conversion.REFERENCE``).

    ``is_complete`` is False where a currency that it held had no known rate, and is not counted.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(ExchangeAccount, on_delete=models.PROTECT, related_name="+")
    hour_at = models.DateTimeField()
    equity = money_field()
    is_complete = models.BooleanField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "hour_at"], name="equity_once_per_hour"),
        ]
        indexes = [
            models.Index(fields=["owner", "hour_at"], name="equity_by_owner"),
            models.Index(fields=["hour_at"], name="equity_by_hour"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.hour_at:%Y-%m-%d %H}h"
