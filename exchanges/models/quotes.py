"""What a venue says of an instrument now, and what holding a swap has cost."""

from django.db import models
from django.db.models.functions import Now

from exchanges.models.venues import Instrument
from foundation.fields import money_field


class Quote(models.Model):
    """The last prices that a venue has told of an instrument; the next answer replaces them.

    Prices are quote currency per base unit. ``quote_volume`` is that of the last 24 hours. Mark and
    index price and the rate of the next funding exist for swaps only.
    """

    instrument = models.OneToOneField(Instrument, on_delete=models.CASCADE, related_name="+")
    last = money_field(null=True, blank=True)
    bid = money_field(null=True, blank=True)
    ask = money_field(null=True, blank=True)
    quote_volume = money_field(null=True, blank=True)
    mark_price = money_field(null=True, blank=True)
    index_price = money_field(null=True, blank=True)
    funding_rate = money_field(null=True, blank=True)
    next_funding_at = models.DateTimeField(null=True, blank=True)
    venue_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.last}"


class FundingRate(models.Model):
    """What holders of a swap paid one another at an instant: a fraction of notional, longs to shorts if positive."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    funded_at = models.DateTimeField()
    rate = money_field()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instrument", "funded_at"], name="funded_once"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.funded_at:%Y-%m-%d %H:%M} {self.rate}"


class FundingFeed(models.Model):
    """How much of a swap's funding has been asked for: everything in ``[from_at, until_at)``."""

    instrument = models.OneToOneField(Instrument, on_delete=models.CASCADE, related_name="+")
    from_at = models.DateTimeField()
    until_at = models.DateTimeField()
    last_error = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.from_at:%Y-%m-%d}"
