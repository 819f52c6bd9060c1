"""The catalogue: what the registry of code offers, as rows that other tables can point to."""

import uuid
from typing import Self

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from foundation.choices import choices_of
from foundation.fields import money_field
from market.timeframes import Timeframe
from strategies.shapes import Category, Risk


class StrategyQuerySet(models.QuerySet["Strategy"]):
    """Filters of strategies."""

    def offered(self) -> Self:
        """Those that the code still has and no operator has retired."""
        return self.filter(is_registered=True, is_active=True)


class Strategy(models.Model):
    """A named idea; its code is found by the slug in the registry, never by a path.

    ``is_registered`` is the synchronisation's word, ``is_active`` the operator's: offered is what has both.
    Texts come from the code until an operator changes one; ``edited_fields`` names those.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    category = models.CharField(max_length=60, choices=choices_of(Category))
    risk = models.CharField(max_length=20, choices=choices_of(Risk))
    summary = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    suggested_timeframe = models.CharField(
        max_length=3, default="1h", choices=[(each.value, each.value) for each in Timeframe]
    )
    position = models.PositiveSmallIntegerField(
        default=100, help_text="Lower numbers come first in the catalogue."
    )
    is_featured = models.BooleanField(
        default=False, help_text="Shown before the others, and marked."
    )
    is_registered = models.BooleanField(default=True, help_text="The code still has it.")
    is_active = models.BooleanField(default=True, help_text="No operator has retired it.")
    edited_fields = ArrayField(
        models.CharField(max_length=30),
        default=list,
        blank=True,
        help_text="What an operator has written; the code does not change it any more.",
    )
    evidence_requested_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when a worker is asked for a backtest to show."
    )
    evidence_error = models.CharField(
        max_length=300, blank=True, help_text="Why the last backtest to show could not be made."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = StrategyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "strategies"

    def __str__(self) -> str:
        return self.name

    @property
    def is_offered(self) -> bool:
        """Whether people can choose it."""
        return self.is_registered and self.is_active

    @property
    def product_code(self) -> str:
        """What people have a right to who may trade with it."""
        return f"strategy:{self.slug}"


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
    """The result of a real backtest that the catalogue shows for a version; never changed.

    ``curve`` has at most a hundred points ``[close time in ms, equity, buy and hold]``, oldest first.
    """

    version = models.ForeignKey(StrategyVersion, on_delete=models.PROTECT, related_name="evidence")
    instrument = models.ForeignKey(
        "exchanges.Instrument", on_delete=models.PROTECT, related_name="+"
    )
    timeframe = models.CharField(max_length=3)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    effective_from_at = models.DateTimeField(help_text="Where the warm-up ends.")
    bar_count = models.PositiveIntegerField()
    parameters = models.JSONField()
    capital = money_field()
    maker_fee_bps = models.DecimalField(max_digits=8, decimal_places=4)
    taker_fee_bps = models.DecimalField(max_digits=8, decimal_places=4)
    slippage_bps = models.DecimalField(max_digits=8, decimal_places=4)
    metrics = models.JSONField()
    curve = models.JSONField(default=list)
    engine_version = models.CharField(max_length=20)
    data_fingerprint = models.CharField(max_length=64)
    spec_hash = models.CharField(max_length=64)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "evidence"
        constraints = [
            models.UniqueConstraint(
                fields=["version", "spec_hash"], name="evidence_once_per_specification"
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.timeframe}"
