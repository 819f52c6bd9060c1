"""Backtest runs and their results."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from backtesting.domain.tags import MAXIMUM_NOTE_LENGTH, MAXIMUM_TAG_LENGTH, MAXIMUM_TAGS
from backtesting.domain.windows import missing_bars
from backtesting.models.work import STANDING_STATUSES, ClaimedWork, ClaimedWorkQuerySet
from foundation.choices import choices_of
from foundation.fields import money_field
from market.enums import Direction, ExitReason
from market.timeframes import Timeframe, to_milliseconds


class BacktestRunQuerySet(ClaimedWorkQuerySet["BacktestRun"]):
    """Filters of runs."""

    def standing(self) -> Self:
        """Runs that answer a repeated request."""
        return self.present().filter(status__in=STANDING_STATUSES)

    def present(self) -> Self:
        """Runs that were not deleted."""
        return self.filter(deleted_at__isnull=True)


class BacktestRun(ClaimedWork):
    """One simulation with everything needed to repeat it, and its result."""

    effective_from_at = models.DateTimeField(null=True, blank=True)
    data_fingerprint = models.CharField(max_length=64, blank=True)
    bar_count = models.PositiveIntegerField(default=0)
    metrics = models.JSONField(default=dict)
    equity = models.BinaryField(
        null=True, blank=True, help_text="Compressed columns: close time, equity, buy and hold."
    )
    lines = models.BinaryField(
        null=True,
        blank=True,
        help_text="Compressed: the strategy's lines, one value for each candle of the chart.",
    )
    exposure = models.BinaryField(
        null=True,
        blank=True,
        help_text="Of a run over many markets, compressed columns: gross and net exposure, positions.",
    )

    tags = ArrayField(
        models.CharField(max_length=MAXIMUM_TAG_LENGTH), size=MAXIMUM_TAGS, default=list, blank=True
    )
    notes = models.TextField(max_length=MAXIMUM_NOTE_LENGTH, blank=True)
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when only the count of its day needs it."
    )

    objects = BacktestRunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "spec_hash"],
                condition=models.Q(
                    status__in=["QUEUED", "RUNNING", "DONE"], deleted_at__isnull=True
                ),
                name="one_run_per_specification",
            ),
            models.CheckConstraint(
                condition=models.Q(from_at__lt=models.F("to_at")), name="run_window_not_empty"
            ),
            models.CheckConstraint(condition=models.Q(capital__gt=0), name="run_has_capital"),
        ]
        indexes = [
            models.Index(fields=["owner", "-requested_at"], name="runs_of_owner"),
            models.Index(
                fields=["lease_until"],
                name="runs_unfinished",
                condition=models.Q(status__in=["QUEUED", "RUNNING"]),
            ),
            models.Index(
                fields=["deleted_at"],
                name="runs_deleted",
                condition=models.Q(deleted_at__isnull=False),
            ),
        ]

    @property
    def missing_bars(self) -> int:
        """How many bars of its window the stored candles lacked; 0 before it has a result."""
        if self.effective_from_at is None:
            return 0
        start_ms, end_ms = map(to_milliseconds, (self.effective_from_at, self.to_at))
        return missing_bars(Timeframe(self.timeframe), start_ms, end_ms, bars=self.bar_count)


class BacktestTrade(models.Model):
    """A round trip from flat to flat in a run."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(BacktestRun, on_delete=models.CASCADE, related_name="trades")
    number = models.PositiveIntegerField()
    symbol = models.CharField(
        max_length=40, blank=True, help_text="Which market, in a run over many."
    )
    direction = models.CharField(max_length=5, choices=choices_of(Direction))
    entry_at = models.DateTimeField()
    exit_at = models.DateTimeField()
    quantity = money_field()
    entry_price = money_field()
    exit_price = money_field()
    fees = money_field()
    slippage = money_field(help_text="What prices moved against us while filling.")
    funding = money_field(default=0, help_text="What holding it cost; below 0 it was paid to us.")
    pnl = money_field(help_text="Net of fees and funding, in the settle currency.")
    return_fraction = models.FloatField()
    exit_reason = models.CharField(max_length=15, choices=choices_of(ExitReason))
    is_open = models.BooleanField(default=False, help_text="The data ended before the trade did.")
    bars = models.PositiveIntegerField()
    mae = models.FloatField(help_text="Largest loss on the way, as a fraction of the entry price.")
    mfe = models.FloatField(help_text="Largest gain on the way, as a fraction of the entry price.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="trade_once_per_run"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} #{self.number}"
