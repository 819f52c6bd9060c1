"""Sweeps: many combinations of parameters over one window, computed in chunks."""

from typing import Self

from django.conf import settings
from django.db import models

from backtesting.domain.objectives import OBJECTIVES
from backtesting.domain.searches import Method
from backtesting.models.work import STANDING_STATUSES, Work, WorkQuerySet
from foundation.choices import choices_of


class SweepQuerySet(WorkQuerySet["Sweep"]):
    """Filters of sweeps."""

    def standing(self) -> Self:
        """Sweeps that answer a repeated request."""
        return self.present().filter(status__in=STANDING_STATUSES)

    def present(self) -> Self:
        """Sweeps that were not deleted."""
        return self.filter(deleted_at=None)


class Sweep(Work):
    """A search over combinations of parameters, and where it stands.

    Its ``parameters`` are one whole combination, the one that warms up longest; what a trial does
    not sweep is as there. The trials are in the chunks.
    """

    space = models.JSONField(help_text="The axes in order: a name with its values or its ends.")
    method = models.CharField(max_length=10, choices=choices_of(Method))
    objective = models.CharField(
        max_length=30, choices=[(key, each.info.label) for key, each in OBJECTIVES.items()]
    )
    least_trades = models.PositiveIntegerField(
        default=0, help_text="Trials with fewer closed trades are not ranked."
    )
    seed = models.BigIntegerField(default=1)
    trials_asked = models.PositiveIntegerField(help_text="Points of the grid, or trials asked for.")
    trials_planned = models.PositiveIntegerField(help_text="Those whose parameters fit together.")
    trials_done = models.PositiveIntegerField(default=0)

    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="When the sweeper sends for workers again."
    )
    best = models.JSONField(
        null=True, blank=True, help_text="The best trial so far: number, parameters, figures."
    )
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="Its trials are gone; it still counts for its day."
    )

    objects = SweepQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "spec_hash"],
                condition=models.Q(
                    status__in=["QUEUED", "RUNNING", "DONE"], deleted_at__isnull=True
                ),
                name="one_sweep_per_specification",
            ),
            models.CheckConstraint(
                condition=models.Q(from_at__lt=models.F("to_at")), name="sweep_window_not_empty"
            ),
            models.CheckConstraint(condition=models.Q(capital__gt=0), name="sweep_has_capital"),
            models.CheckConstraint(
                condition=models.Q(trials_done__lte=models.F("trials_planned")),
                name="sweep_not_overdone",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-requested_at"], name="sweeps_of_owner"),
            models.Index(
                fields=["lease_until"],
                name="sweeps_unfinished",
                condition=models.Q(status__in=["QUEUED", "RUNNING"]),
            ),
        ]


class ChunkStatus(models.TextChoices):
    """Where a chunk stands; one that failed ends its sweep."""

    QUEUED = "QUEUED", "Waiting"
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"


class SweepChunk(models.Model):
    """Some hundred trials of a sweep, computed at once by one worker.

    A row for each trial would be a hundred thousand rows of a dozen numbers, always read and
    written together: here they are one list for each parameter, and one compressed block.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    sweep = models.ForeignKey(Sweep, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    first_trial = models.PositiveIntegerField()
    trial_count = models.PositiveIntegerField()
    points = models.JSONField(
        default=dict, help_text="A list for each parameter; empty until a guided search chose."
    )
    figures = models.BinaryField(
        null=True, blank=True, help_text="Compressed columns of the figures, once it is done."
    )
    status = models.CharField(max_length=10, choices=ChunkStatus, default=ChunkStatus.QUEUED)
    evaluated = models.PositiveIntegerField(default=0, help_text="Trials that its worker has done.")
    attempts = models.PositiveSmallIntegerField(default=0)
    epoch = models.BigIntegerField(
        default=0, help_text="Rises with each claim; older ones are void."
    )
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sweep", "number"], name="chunk_once_per_sweep"),
            models.CheckConstraint(
                condition=~models.Q(status="DONE") | models.Q(figures__isnull=False),
                name="done_chunk_has_figures",
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"],
                name="chunks_running",
                condition=models.Q(status="RUNNING"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sweep_id} #{self.number}"
