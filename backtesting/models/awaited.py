"""Backtests that were asked for before their candles were there."""

import uuid
from typing import Final

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from backtesting.models.runs import BacktestRun


class AwaitedStatus(models.TextChoices):
    """Where a wish for a backtest stands."""

    WAITING = "WAITING", "Fetching candles"
    STARTED = "STARTED", "Started"
    FAILED = "FAILED", "Failed"
    CANCELED = "CANCELED", "Canceled"


class AwaitedRun(models.Model):
    """A wish for a backtest; it becomes a run once the candles that it lacks have been fetched.

    ``wish`` is what was asked for as plain text, ``fetch_ids`` what was sent for on its behalf.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    strategy_slug = models.CharField(max_length=60)
    wish = models.JSONField()
    status = models.CharField(max_length=10, choices=AwaitedStatus, default=AwaitedStatus.WAITING)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Of what is fetched, percent.")
    fetch_ids = ArrayField(models.BigIntegerField(), default=list)
    run = models.ForeignKey(
        BacktestRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    requested_at = models.DateTimeField()
    next_look_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_look_at"],
                name="awaited_runs_due",
                condition=models.Q(status="WAITING"),
            ),
            models.Index(fields=["owner", "-id"], name="awaited_runs_of_owner"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ENDED


#: A wish that was granted, refused or taken back.
ENDED: Final = (AwaitedStatus.STARTED, AwaitedStatus.FAILED, AwaitedStatus.CANCELED)
