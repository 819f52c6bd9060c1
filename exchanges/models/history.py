"""History that somebody asked for, beyond what feeds keep coming."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from exchanges.models.candles import TIMEFRAME_CHOICES
from exchanges.models.venues import Instrument


class FetchStatus(models.TextChoices):
    """How far a fetch has come."""

    QUEUED = "QUEUED", "Waiting"
    RUNNING = "RUNNING", "Fetching"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"


#: What is not over yet.
UNFINISHED = (FetchStatus.QUEUED, FetchStatus.RUNNING)


class HistoryFetch(models.Model):
    """Candles ``[from_at, to_at)`` of a series that a worker fetches, for everybody.

    Of a series at most one fetch is under way: who asks for more of it widens that one. ``reached_at``
    is up to where it has come.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=3, choices=TIMEFRAME_CHOICES)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    reached_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(
        max_length=10, choices=FetchStatus, default=FetchStatus.QUEUED, db_default="QUEUED"
    )
    added = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    epoch = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "history fetches"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe"],
                condition=models.Q(status__in=["QUEUED", "RUNNING"]),
                name="one_fetch_under_way_per_series",
            ),
            models.CheckConstraint(
                condition=models.Q(from_at__lt=models.F("to_at")), name="fetch_begins_before_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.from_at:%Y-%m-%d}"
