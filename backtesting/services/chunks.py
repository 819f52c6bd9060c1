"""What a worker does with a sweep: claim a chunk of it, compute it, write its trials down."""

import logging
import time
from datetime import datetime
from typing import Any, Final

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Now

from backtesting.domain.objectives import OBJECTIVES
from backtesting.domain.searches import Method
from backtesting.domain.trials import Trials, pack_figures, points_from_json, points_to_json
from backtesting.engine import SimulationStopped
from backtesting.models import ChunkStatus, RunStatus, Sweep, SweepChunk
from backtesting.selectors import specifications
from backtesting.selectors import sweeps as selectors
from backtesting.services.claims import message_time
from backtesting.services.execution import CandlesChangedError
from backtesting.services.sweep_computing import Computation
from backtesting.services.sweeps import MAXIMUM_DURATION
from foundation import tenancy
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market.errors import PlatformError

logger = logging.getLogger(__name__)

#: Progress is written, and a wish to cancel read, at most this often.
_REPORT_S: Final = 0.5


def work_on_sweep(*, sweep_id: int, now: datetime) -> None:
    """Compute the next chunk that waits and store its trials; do nothing if none waits.

    A chunk is claimed with an epoch, and only the newest claim may write: computing one twice
    changes nothing. When the database is away, or the worker dies, the claim runs out and the
    sweeper sends for another worker, so that at most this chunk is computed again.
    """
    chunk = _claim(sweep_id=sweep_id, now=now)
    if chunk is None:
        return
    crashpoint("sweeps.claimed")
    with tenancy.scope(chunk.owner_id):
        try:
            trials = _compute(chunk)
            crashpoint("sweeps.computed")
            _store(chunk=chunk, trials=trials)
        except SimulationStopped:
            # Either canceled, or another worker has the chunk; then this writes nothing.
            _end_if_canceled(sweep_id=sweep_id)
        except PlatformError as error:
            _fail(chunk=chunk, code=error.code, message=error.message)
        except SoftTimeLimitExceeded:
            message = "It took too long. Choose a shorter window or a longer timeframe."
            _fail(chunk=chunk, code="time_limit", message=message)
        except DatabaseError:
            raise
        except Exception:
            # The outermost frame of the work: the person gets an answer, the log the reason.
            logger.exception("sweep.broke", extra={"sweep_id": sweep_id, "chunk_id": chunk.pk})
            message = "Something broke on our side. It has been logged."
            _fail(chunk=chunk, code="internal_error", message=message)
    crashpoint("sweeps.stored")


@transactional
def _claim(*, sweep_id: int, now: datetime) -> SweepChunk | None:
    """Make the next waiting chunk this worker's; None if there is nothing to do."""
    # The sweep's row is locked for a moment, so that two workers never take the same chunk.
    sweep = Sweep.objects.unfinished().select_for_update().filter(pk=sweep_id).first()
    if sweep is None or sweep.cancel_requested:
        return None
    unfinished = sweep.chunks.exclude(status=ChunkStatus.DONE).order_by("number")
    if sweep.method == Method.GUIDED:
        # It learns from all chunks in front of this one.
        chunk = unfinished.first()
    else:
        chunk = unfinished.filter(status=ChunkStatus.QUEUED).first()
    if chunk is None or chunk.status != ChunkStatus.QUEUED:
        return None
    if sweep.started_at is not None and now - sweep.started_at > MAXIMUM_DURATION:
        # The sweeper ends it.
        return None
    SweepChunk.objects.filter(pk=chunk.pk).update(
        status=ChunkStatus.RUNNING,
        epoch=F("epoch") + 1,
        attempts=F("attempts") + 1,
        evaluated=0,
        lease_until=Now() + message_time(),
    )
    Sweep.objects.filter(pk=sweep.pk).update(
        status=RunStatus.RUNNING,
        started_at=sweep.started_at or now,
        lease_until=Now() + message_time(),
        version=F("version") + 1,
    )
    chunk.refresh_from_db()
    return chunk


class _Watch:
    """Writes progress, renews the claim and notices that the work is not wanted any more."""

    def __init__(self, chunk: SweepChunk) -> None:
        self._chunk = chunk
        self._next_report = 0.0
        self._unwanted = False

    def should_stop(self) -> bool:
        return self._unwanted

    def progress(self, done: int) -> None:
        if time.monotonic() < self._next_report:
            return
        self._next_report = time.monotonic() + _REPORT_S
        still_wanted = _claimed(self._chunk).filter(sweep__cancel_requested=False)
        kept = SweepChunk.objects.filter(pk__in=still_wanted.values("pk")).update(
            # The sweeper may have taken a slow worker for a dead one.
            status=ChunkStatus.RUNNING,
            evaluated=done,
            lease_until=Now() + message_time(),
        )
        self._unwanted = not kept
        if kept:
            _show_progress(self._chunk.sweep_id)


def _compute(chunk: SweepChunk) -> Trials:
    sweep = Sweep.objects.select_related("strategy_version__strategy", "instrument__venue").get(
        pk=chunk.sweep_id
    )
    specification = specifications.specification_of(sweep)
    if specifications.data_version_now(specification) != sweep.data_version:
        raise CandlesChangedError
    combinations = selectors.combinations_of(sweep, specification.definition)
    watch = _Watch(chunk)
    computation = Computation(
        specification, combinations, progress=watch.progress, should_stop=watch.should_stop
    )
    if sweep.method == Method.GUIDED:
        return computation.search(
            selectors.space_of(sweep),
            selectors.trials_before(sweep, chunk_number=chunk.number),
            seed=sweep.seed,
            objective=OBJECTIVES[sweep.objective],
            least_trades=sweep.least_trades,
            count=chunk.trial_count,
            first_trial=chunk.first_trial,
        )
    points = points_from_json(combinations.names, chunk.points)
    return computation.evaluate(points, first_trial=chunk.first_trial)


@transactional
def _store(*, chunk: SweepChunk, trials: Trials) -> None:
    """Write the trials of a chunk, or nothing if the claim is void; end the sweep with its last."""
    sweep = Sweep.objects.select_for_update().get(pk=chunk.sweep_id)
    written = _claimed(chunk).update(
        status=ChunkStatus.DONE,
        points=points_to_json(trials.names, trials.points),
        figures=pack_figures(trials.figures),
        evaluated=len(trials),
        lease_until=None,
    )
    if not written:
        logger.warning("sweep.claim_lost", extra={"chunk_id": chunk.pk, "epoch": chunk.epoch})
        return
    sweep.trials_done += len(trials)
    sweep.best = _better(sweep, trials)
    left = sweep.chunks.exclude(status=ChunkStatus.DONE)
    if not left.exists():
        sweep.status = RunStatus.DONE
    elif sweep.cancel_requested:
        sweep.status = RunStatus.CANCELED
    elif left.filter(status=ChunkStatus.QUEUED).exists():
        enqueue_on_commit("backtesting.work_on_sweep", sweep_id=sweep.pk)
    sweep.save(update_fields=["trials_done", "best", "status"])
    done = Sweep.objects.filter(pk=sweep.pk)
    if sweep.is_finished:
        progress = 100 if sweep.status == RunStatus.DONE else sweep.progress
        done.update(
            progress=progress, lease_until=None, finished_at=Now(), version=F("version") + 1
        )
    else:
        _show_progress(sweep.pk)


def _better(sweep: Sweep, trials: Trials) -> dict[str, Any] | None:
    """Return the best trial of *sweep* so far, given some more; the first one if two are equal."""
    objective = OBJECTIVES[sweep.objective]
    index = objective.best(trials.figures, least_trades=sweep.least_trades)
    before: dict[str, Any] | None = sweep.best
    if index is None:
        return before
    found = {
        "number": int(trials.numbers[index]),
        "parameters": trials.parameters(index),
        "figures": trials.figures_json(index),
    }
    if before is None:
        return found

    def rank(trial: dict[str, Any]) -> tuple[float, int]:
        return objective.sign * trial["figures"][objective.key], -trial["number"]

    return max(before, found, key=rank)


def _claimed(chunk: SweepChunk) -> QuerySet[SweepChunk]:
    """Return the chunk if its sweep goes on and nobody has claimed it since.

    A claim that ran out is as good as ever until another worker takes the chunk: what a slow one
    has computed by then is a result like any other.
    """
    return SweepChunk.objects.filter(
        pk=chunk.pk,
        epoch=chunk.epoch,
        status__in=[ChunkStatus.QUEUED, ChunkStatus.RUNNING],
        sweep__in=Sweep.objects.unfinished(),
    )


def _show_progress(sweep_id: int) -> None:
    evaluated = SweepChunk.objects.filter(sweep_id=sweep_id).aggregate(all=Sum("evaluated"))["all"]
    Sweep.objects.unfinished().filter(pk=sweep_id).update(
        progress=100 * evaluated / F("trials_planned"),
        lease_until=Now() + message_time(),
        version=F("version") + 1,
    )


@transactional
def _end_if_canceled(*, sweep_id: int) -> None:
    Sweep.objects.unfinished().filter(pk=sweep_id, cancel_requested=True).update(
        status=RunStatus.CANCELED,
        lease_until=None,
        finished_at=Now(),
        version=F("version") + 1,
    )


@transactional
def _fail(*, chunk: SweepChunk, code: str, message: str) -> None:
    """End the sweep as failed, unless the claim is void; its trials so far stay."""
    Sweep.objects.unfinished().select_for_update().filter(pk=chunk.sweep_id).first()
    if not _claimed(chunk).exists():
        return
    logger.info("sweep.failed", extra={"sweep_id": chunk.sweep_id, "code": code})
    Sweep.objects.filter(pk=chunk.sweep_id).update(
        status=RunStatus.FAILED,
        error_code=code,
        error_message=message[:500],
        lease_until=None,
        finished_at=Now(),
        version=F("version") + 1,
    )
