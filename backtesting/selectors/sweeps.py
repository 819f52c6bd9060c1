"""Questions about sweeps; every one of them names the owner whose sweeps they are."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db.models import QuerySet

from backtesting.domain.combinations import Combinations
from backtesting.domain.searches import Axis, Space
from backtesting.domain.trials import Trials, points_from_json, unpack_figures
from backtesting.models import ChunkStatus, Sweep, SweepChunk, SweepQuerySet
from backtesting.selectors.runs import Owner
from foundation import replica
from market.errors import NotFoundError
from market.timeframes import Timeframe
from strategies.registry import Definition


class SweepNotFoundError(NotFoundError):
    """There is no such sweep, or it is somebody else's."""

    def __init__(self) -> None:
        super().__init__("There is no such sweep.")


class TrialNotFoundError(NotFoundError):
    """The sweep has no trial of this number, or none yet."""

    code = "unknown_trial"

    def __init__(self, number: int) -> None:
        super().__init__(f"The sweep has no trial {number}.")


def sweeps_for(owner: Owner) -> SweepQuerySet:
    """Return the sweeps of *owner*, newest first."""
    sweeps = Sweep.objects.present().filter(owner_id=owner.pk)
    return sweeps.select_related("strategy_version__strategy", "instrument__venue").order_by("-pk")


def page_of_sweeps(
    owner: Owner, *, below: int | None, limit: int, status: str | None = None
) -> Sequence[Sweep]:
    """Return up to *limit* sweeps of *owner*, newest first, below the key of one; may lag by some seconds."""
    asked = {"pk__lt": below, "status": status}
    given = {name: value for name, value in asked.items() if value is not None}
    return list(sweeps_for(owner).using(replica.using()).filter(**given)[:limit])


def get_sweep_for(owner: Owner, *, public_id: UUID) -> Sweep:
    """Return a sweep of *owner*; raise SweepNotFoundError for any other."""
    try:
        return sweeps_for(owner).get(public_id=public_id)
    except Sweep.DoesNotExist:
        raise SweepNotFoundError from None


def space_of(sweep: Sweep) -> Space:
    """Return what *sweep* searches."""
    return Space(tuple(Axis.from_json(axis) for axis in sweep.space))


def combinations_of(sweep: Sweep, definition: Definition) -> Combinations:
    """Return how points of *sweep* become parameters of its strategy."""
    names = space_of(sweep).names
    fixed = {name: value for name, value in sweep.parameters.items() if name not in names}
    return Combinations(definition, Timeframe(sweep.timeframe), names, fixed, sweep.capital)


def has_waiting_chunk(sweep: Sweep) -> bool:
    """Tell whether a worker would find something to do."""
    return sweep.chunks.filter(status=ChunkStatus.QUEUED).exists()


def trials_of(sweep: Sweep) -> Trials:
    """Return all trials of *sweep* that are done, in the order of their numbers."""
    return _joined(sweep, SweepChunk.objects.filter(sweep_id=sweep.pk))


def trials_before(sweep: Sweep, *, chunk_number: int) -> Trials:
    """Return the done trials of the chunks in front of one."""
    return _joined(sweep, SweepChunk.objects.filter(sweep_id=sweep.pk, number__lt=chunk_number))


def index_of_trial(trials: Trials, *, number: int) -> int:
    """Return where the trial of a number stands; raise TrialNotFoundError if it is not there."""
    index = int(np.searchsorted(trials.numbers, number))
    if index == len(trials) or trials.numbers[index] != number:
        raise TrialNotFoundError(number)
    return index


def _joined(sweep: Sweep, chunks: QuerySet[SweepChunk]) -> Trials:
    names = space_of(sweep).names
    done = chunks.filter(status=ChunkStatus.DONE).order_by("number")
    parts = []
    for first, points, figures in done.values_list("first_trial", "points", "figures"):
        rows = unpack_figures(bytes(figures or b""))
        numbers = np.arange(first, first + len(rows), dtype=np.int64)
        parts.append(Trials(names, numbers, points_from_json(names, points), rows))
    return Trials.joined(names, parts)
