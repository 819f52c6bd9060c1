"""What runs, checks and sweeps have in common: somebody asked for them, and workers compute them."""

import uuid
from typing import Final, Self, TypeVar

from django.db import models

from backtesting.models.specifications import StoredSpecification


class RunStatus(models.TextChoices):
    """Where a piece of work stands."""

    QUEUED = "QUEUED", "Waiting"
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"
    CANCELED = "CANCELED", "Canceled"


#: Work that somebody still waits for.
UNFINISHED_STATUSES: Final = (RunStatus.QUEUED, RunStatus.RUNNING)

#: Work that answers a repeated request; what failed or was canceled does not.
STANDING_STATUSES: Final = (*UNFINISHED_STATUSES, RunStatus.DONE)

W = TypeVar("W", bound="Work")
C = TypeVar("C", bound="ClaimedWork")


class WorkQuerySet(models.QuerySet[W]):
    """Filters of work."""

    def unfinished(self) -> Self:
        """What waits or runs."""
        return self.filter(status__in=UNFINISHED_STATUSES)


class ClaimedWorkQuerySet(WorkQuerySet[C]):
    """Filters of work that one worker has to itself."""

    def claimed_by(self, *, pk: int, epoch: int) -> Self:
        """The row, if it is unfinished and nobody has claimed it since this epoch.

        A claim that ran out is as good as ever until another worker takes the row: what a slow one
        has computed by then is a result like any other.
        """
        return self.unfinished().filter(pk=pk, epoch=epoch)


class Work(StoredSpecification):
    """A specification that is to be computed, and how far that is."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    status = models.CharField(max_length=10, choices=RunStatus, default=RunStatus.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="When the sweeper looks after a waiting or running one."
    )
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    version = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status not in UNFINISHED_STATUSES


class ClaimedWork(Work):
    """Work that one worker claims for a while; a sweep is none, its chunks are claimed."""

    attempts = models.PositiveSmallIntegerField(default=0)
    epoch = models.BigIntegerField(
        default=0, help_text="Rises with each claim; older ones are void."
    )

    class Meta:
        abstract = True
