"""The catalogue: what the registry of code offers, as rows that other tables can point to."""

import uuid

import pgtrigger
from django.db import models
from django.db.models.functions import Now


class Strategy(models.Model):
    """A named idea; its code is found by the slug in the registry, never by a path."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    category = models.CharField(max_length=60)
    risk = models.CharField(max_length=20)
    summary = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    suggested_timeframe = models.CharField(max_length=3, default="1h")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "strategies"

    def __str__(self) -> str:
        return self.name


class StrategyVersion(models.Model):
    """One released state of a strategy's code and parameters; never changed, a change is a new version."""

    strategy = models.ForeignKey(Strategy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    code_fingerprint = models.CharField(max_length=64)
    parameters_schema = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["strategy", "number"], name="strategy_version_once"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.strategy} v{self.number}"


class Evidence(models.Model):
    """The result of a real backtest that the catalogue shows for a version."""

    version = models.ForeignKey(StrategyVersion, on_delete=models.PROTECT, related_name="evidence")
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    timeframe = models.CharField(max_length=3)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    parameters = models.JSONField()
    metrics = models.JSONField()
    engine_version = models.PositiveIntegerField()
    data_fingerprint = models.CharField(max_length=64)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return f"{self.version} {self.timeframe}"
