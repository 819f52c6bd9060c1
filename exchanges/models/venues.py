"""Venues and what trades there."""

import uuid

from django.db import models
from django.db.models.functions import Now

from foundation.choices import choices_of
from foundation.fields import money_field
from market.enums import InstrumentKind


class VenueUse(models.TextChoices):
    """What a venue is good for here."""

    LIVE_AND_PAPER = "LIVE_AND_PAPER", "Live and paper"
    DATA_AND_PAPER = "DATA_AND_PAPER", "Market data and paper only"
    IMPORTED = "IMPORTED", "Imported candles only"


class Venue(models.Model):
    """An exchange, or a simulation of one."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    ccxt_id = models.CharField(
        max_length=40,
        blank=True,
        help_text="The ccxt class that speaks to it; empty: offline, its candles are imported.",
    )
    api_url = models.URLField(blank=True, help_text="Empty: the address that ccxt knows.")
    real_money = models.BooleanField(
        help_text="Read by entitlements and badges only, never by trading."
    )
    takes_live_accounts = models.BooleanField(
        default=False, help_text="Whether people may connect keys; candles and paper need none."
    )
    maker_fee_bps = models.DecimalField(max_digits=8, decimal_places=4, default=10)
    taker_fee_bps = models.DecimalField(max_digits=8, decimal_places=4, default=10)
    is_active = models.BooleanField(default=True)
    clock_offset_ms = models.IntegerField(default=0)
    clock_measured_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name

    @property
    def use(self) -> VenueUse:
        """What the venue is good for here: keys are taken, its prices can be asked for, or neither."""
        if self.takes_live_accounts:
            return VenueUse.LIVE_AND_PAPER
        return VenueUse.DATA_AND_PAPER if self.ccxt_id else VenueUse.IMPORTED


class Instrument(models.Model):
    """Something that trades at a venue, with the rules in force; former rules are ``InstrumentRules`` rows."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="instruments")
    symbol = models.CharField(max_length=40, help_text="The unified code, such as BTC/USDT.")
    kind = models.CharField(max_length=15, choices=choices_of(InstrumentKind))
    base = models.CharField(max_length=20)
    quote = models.CharField(max_length=20)
    settle = models.CharField(max_length=20)
    contract_size = money_field(default=1)
    tick_size = money_field()
    lot_step = money_field()
    minimum_quantity = money_field(default=0)
    minimum_notional = money_field(default=0)
    is_active = models.BooleanField(default=True)
    listed_at = models.DateTimeField(null=True, blank=True)
    delisted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["venue", "symbol"], name="instrument_once_per_venue"),
            models.CheckConstraint(
                condition=models.Q(tick_size__gt=0, lot_step__gt=0), name="instrument_has_steps"
            ),
        ]

    def __str__(self) -> str:
        return self.symbol


class InstrumentRules(models.Model):
    """The trading rules of an instrument from an instant on; a change is a new row."""

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="rules")
    valid_from = models.DateTimeField()
    tick_size = money_field()
    lot_step = money_field()
    minimum_quantity = money_field()
    minimum_notional = money_field()
    contract_size = money_field()
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "instrument rules"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "valid_from"], name="rules_once_per_instant"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.valid_from:%Y-%m-%d}"
