"""Checks of strategies and what they found."""

import uuid
from typing import Self

from django.db import models

from backtesting.domain.verdicts import Verdict
from backtesting.models.runs import UNFINISHED_STATUSES, RunStatus
from backtesting.models.specifications import StoredSpecification
from foundation.choices import choices_of


class StrategyCheckQuerySet(models.QuerySet["StrategyCheck"]):
    """Filters of checks."""

    def unfinished(self) -> Self:
        """Checks that wait or run."""
        return self.filter(status__in=UNFINISHED_STATUSES)

    def claimed_by(self, *, check_id: int, epoch: int) -> Self:
        """The check, if it is unfinished and nobody has claimed it since this epoch."""
        return self.unfinished().filter(pk=check_id, epoch=epoch)


class StrategyCheck(StoredSpecification):
    """One strategy put to all checks on one stretch of candles.

    ``results`` is what ``CheckReport.to_json`` gives. A published one was asked for by an operator
    and is shown to everybody who looks at the strategy; its owner stays who asked.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    is_published = models.BooleanField(
        default=False, help_text="Shown to everybody, on the page of the strategy's checks."
    )
    status = models.CharField(max_length=10, choices=RunStatus, default=RunStatus.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    epoch = models.BigIntegerField(
        default=0, help_text="Rises with each claim; older ones are void."
    )
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="When the sweeper looks after a waiting or running one."
    )
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=500, blank=True)

    verdict = models.CharField(max_length=14, choices=choices_of(Verdict), blank=True)
    results = models.JSONField(default=list)
    bar_count = models.PositiveIntegerField(default=0)
    data_fingerprint = models.CharField(max_length=64, blank=True)
    version = models.PositiveIntegerField(default=0)

    objects = StrategyCheckQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "spec_hash", "is_published"],
                condition=models.Q(status__in=["QUEUED", "RUNNING"]),
                name="one_check_at_a_time_per_specification",
            ),
            models.CheckConstraint(
                condition=models.Q(from_at__lt=models.F("to_at")), name="check_window_not_empty"
            ),
            models.CheckConstraint(
                condition=~models.Q(status="DONE") | ~models.Q(verdict=""),
                name="done_check_has_verdict",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-requested_at"], name="checks_of_owner"),
            models.Index(
                fields=["strategy_version", "-requested_at"],
                name="checks_published",
                condition=models.Q(is_published=True),
            ),
            models.Index(
                fields=["lease_until"],
                name="checks_unfinished",
                condition=models.Q(status__in=["QUEUED", "RUNNING"]),
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status not in UNFINISHED_STATUSES
