"""What is computed once for many people."""

from django.db import models
from django.db.models.functions import Now


class SignalGroup(models.Model):
    """One evaluation shared by every deployment with the same universe, timeframe, version and signal parameters.

    ``anchor_at`` is where its history starts, so that a replay sees the same floats.
    """

    strategy_version = models.ForeignKey(
        "strategies.StrategyVersion", on_delete=models.PROTECT, related_name="+"
    )
    instruments = models.ManyToManyField("exchanges.Instrument", related_name="+")
    universe_key = models.CharField(max_length=64, help_text="Hash of the sorted instruments.")
    timeframe = models.CharField(max_length=3)
    signal_parameters = models.JSONField()
    signal_hash = models.CharField(max_length=64)
    anchor_at = models.DateTimeField()
    last_bar_close_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    epoch = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["strategy_version", "universe_key", "timeframe", "signal_hash"],
                name="signal_group_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.strategy_version_id} {self.timeframe} {self.signal_hash[:8]}"
