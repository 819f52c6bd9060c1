"""What is computed once for many people."""

from django.db import models
from django.db.models.functions import Now


class SignalGroup(models.Model):
    """One evaluation shared by every deployment with the same universe, timeframe, version and signal parameters.

    ``anchor_at`` is where its history starts, so that a replay sees the same floats. ``pending`` holds
    bars with what was said at their closes for as long as a shard has not seen them.
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
    pending = models.JSONField(default=list, blank=True)
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


class GroupShard(models.Model):
    """The deployments of a group that are stepped together: those whose id leaves ``number`` when divided by ``of``.

    Its cursor moves in the transaction that steps them, so each bar is stepped exactly once, whoever
    does it and whenever they die.
    """

    group = models.ForeignKey(SignalGroup, on_delete=models.PROTECT, related_name="shards")
    number = models.PositiveIntegerField(default=0)
    of = models.PositiveIntegerField(default=1)
    last_bar_close_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "number"], name="shard_once_per_group"),
            models.CheckConstraint(
                condition=models.Q(number__lt=models.F("of")), name="shard_number_below_count"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group_id} {self.number}/{self.of}"
