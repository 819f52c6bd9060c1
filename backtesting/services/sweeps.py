"""The life of a sweep: requested, worked on in chunks, and done, failed or canceled.

A message only says which sweep has work: a worker takes the next chunk that waits, and sends for
another worker when it is done with it, so that a large sweep and backtests of others take turns.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, cast

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from backtesting.domain.searches import Method, Point
from backtesting.domain.trials import points_to_json
from backtesting.models import BacktestRun, ChunkStatus, RunStatus, Sweep, SweepChunk
from backtesting.selectors import sweeps as selectors
from backtesting.selectors import usage
from backtesting.selectors.runs import Owner
from backtesting.services import claims, runs, specifications, sweep_plans
from backtesting.services.sweep_plans import SweepPlan, SweepWish
from billing.services import entitlements
from billing.services.entitlements import Limit
from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market.errors import ConflictError, UnprocessableError

logger = logging.getLogger(__name__)

#: How many sweeps of one person may wait or run at the same time.
MAXIMUM_UNFINISHED: Final = 5
#: How long a sweep may take from its first chunk on.
MAXIMUM_DURATION: Final = timedelta(hours=6)
#: How many workers one sweep has at the same time; a guided one learns from chunk to chunk.
_WORKERS: Final = 4
#: A chunk has so many bars to compute: some seconds of work, which is what a lost worker costs.
_CHUNK_BARS: Final = 5_000_000
_CHUNK_TRIALS: Final = 500
_GUIDED_CHUNK_TRIALS: Final = 50
_SWEPT_AT_ONCE: Final = 50
#: A deleted sweep still counts for the day on which it was requested; two days later nobody asks.
_KEPT: Final = timedelta(days=2)


class TooManySweepsError(UnprocessableError):
    """The person has too many unfinished sweeps."""

    code = "too_many_sweeps"


class SweepFinishedError(ConflictError):
    """The sweep is over, so there is nothing to cancel."""

    code = "sweep_finished"

    def __init__(self, status: str) -> None:
        super().__init__(f"This sweep is over already ({RunStatus(status).label.lower()}).")


class SweepUnfinishedError(ConflictError):
    """The sweep is not over, so it cannot be deleted."""

    code = "sweep_unfinished"

    def __init__(self) -> None:
        super().__init__("This sweep is not over. Cancel it first.")


@transactional
def request_sweep(*, owner: Owner, wish: SweepWish, by: Actor, now: datetime) -> Sweep:
    """Store a sweep and send for workers; return the present one if an equal one stands already.

    Raises InvalidRunError with all problems, as ``sweep_plans.plan_sweep``. A sweep that is returned
    and was ``requested_at`` another instant than *now* was there before, and counts for nothing.
    Raises PlanLimitError, or TooManySweepsError.
    """
    plan = sweep_plans.plan_sweep(wish, now=now)
    spec_hash = plan.spec_hash()
    mine = Sweep.objects.filter(owner_id=owner.pk)
    try:
        with transaction.atomic():
            sweep = _create(owner, plan, spec_hash, now=now)
    except IntegrityError:
        return mine.standing().get(spec_hash=spec_hash)
    # Counted after writing: what is refused here is rolled back with everything else.
    _require_place(owner, plan, now=now)
    if mine.unfinished().count() > MAXIMUM_UNFINISHED:
        raise TooManySweepsError(
            f"{MAXIMUM_UNFINISHED} of your sweeps are waiting. Let one finish, or cancel one."
        )
    audit.record(actor=by, verb="sweep.requested", target=sweep, owner_id=sweep.owner_id)
    _send_for_workers(sweep)
    return sweep


@transactional
def cancel_sweep(*, sweep_id: int, by: Actor, now: datetime) -> Sweep:
    """End a sweep that no worker is at, and ask the workers of another one to stop soon.

    Its trials so far stay. Raises SweepFinishedError if it is over.
    """
    sweep = Sweep.objects.select_for_update(of=("self",)).get(pk=sweep_id)
    if sweep.is_finished:
        raise SweepFinishedError(sweep.status)
    if not sweep.chunks.filter(status=ChunkStatus.RUNNING).exists():
        sweep.status, sweep.finished_at = RunStatus.CANCELED, now
    sweep.cancel_requested = True
    sweep.version += 1
    sweep.save(update_fields=["status", "finished_at", "cancel_requested", "version"])
    audit.record(actor=by, verb="sweep.canceled", target=sweep, owner_id=sweep.owner_id)
    return sweep


@transactional
def delete_sweep(*, sweep_id: int, by: Actor, now: datetime) -> None:
    """Take a sweep that is over away with its trials; raise SweepUnfinishedError if it is not.

    What stays for two days is that there was one: the plan counts them by the day.
    """
    sweep = Sweep.objects.select_for_update(of=("self",)).get(pk=sweep_id)
    if not sweep.is_finished:
        raise SweepUnfinishedError
    if sweep.deleted_at is not None:
        return
    sweep.chunks.all().delete()
    sweep.deleted_at, sweep.best = now, None
    sweep.version += 1
    sweep.save(update_fields=["deleted_at", "best", "version"])
    audit.record(actor=by, verb="sweep.deleted", target=sweep, owner_id=sweep.owner_id)


@transactional
def purge_deleted(*, now: datetime) -> int:
    """Forget sweeps that were deleted long enough ago; return how many."""
    count, _ = Sweep.objects.filter(deleted_at__lt=now - _KEPT).delete()
    return count


def run_trial(*, owner: Owner, sweep: Sweep, number: int, by: Actor, now: datetime) -> BacktestRun:
    """Request a backtest with the parameters of a trial; return the present one if there is one.

    Raises TrialNotFoundError, or what ``runs.request_run`` raises.
    """
    trials = selectors.trials_of(sweep)
    swept = trials.parameters(selectors.index_of_trial(trials, number=number))
    # Equal fees are those that were asked for, different ones the venue's own.
    has_one_fee = sweep.maker_fee_bps == sweep.taker_fee_bps
    return runs.request_run(
        owner=owner,
        strategy_slug=sweep.strategy_version.strategy.slug,
        market="" if sweep.universe else sweep.markets,
        universe=sweep.markets if sweep.universe else "",
        timeframe=sweep.timeframe,
        from_at=sweep.from_at,
        to_at=sweep.to_at,
        parameters={**sweep.parameters, **swept},
        capital=sweep.capital,
        fee_bps=sweep.taker_fee_bps if has_one_fee else None,
        slippage_bps=sweep.slippage_bps,
        funding_bps=sweep.funding_bps,
        by=by,
        now=now,
    )


@transactional
def look_after_sweeps(*, now: datetime) -> int:
    """Look after sweeps whose message or worker was lost; return how many there were."""
    lost = SweepChunk.objects.filter(
        sweep_id=OuterRef("pk"), status=ChunkStatus.RUNNING, lease_until__lt=Now()
    )
    overdue = list(
        Sweep.objects.unfinished()
        .filter(Q(lease_until__lt=Now()) | Exists(lost))
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("pk")[:_SWEPT_AT_ONCE]
    )
    for sweep in overdue:
        _look_after(sweep, now=now)
        logger.warning("sweep.swept", extra={"sweep_id": sweep.pk, "status": sweep.status})
    return len(overdue)


def _look_after(sweep: Sweep, *, now: datetime) -> None:
    lost = sweep.chunks.filter(status=ChunkStatus.RUNNING, lease_until__lt=Now())
    if sweep.cancel_requested:
        sweep.status = RunStatus.CANCELED
    elif lost.filter(attempts__gte=claims.MAXIMUM_ATTEMPTS).exists():
        sweep.status, sweep.error_code = RunStatus.FAILED, "gave_up"
        sweep.error_message = (
            f"Workers were lost {claims.MAXIMUM_ATTEMPTS} times on the same trials. "
            "Try a shorter window."
        )
    elif sweep.started_at is not None and now - sweep.started_at > MAXIMUM_DURATION:
        sweep.status, sweep.error_code = RunStatus.FAILED, "time_limit"
        sweep.error_message = "It took too long. Try fewer combinations or a shorter window."
    else:
        lost.update(status=ChunkStatus.QUEUED, lease_until=None, evaluated=0)
        _send_for_workers(sweep)
    sweep.finished_at = now if sweep.is_finished else None
    sweep.version += 1
    sweep.save(update_fields=["status", "error_code", "error_message", "finished_at", "version"])
    Sweep.objects.filter(pk=sweep.pk).update(lease_until=Now() + claims.message_time())


def _send_for_workers(sweep: Sweep) -> None:
    """Send as many messages as workers may be at it; one too many finds nothing to do."""
    waiting = sweep.chunks.filter(status=ChunkStatus.QUEUED).count()
    most = 1 if sweep.method == Method.GUIDED else _WORKERS
    for _ in range(min(waiting, most)):
        enqueue_on_commit("backtesting.work_on_sweep", sweep_id=sweep.pk)


def _require_place(owner: Owner, plan: SweepPlan, *, now: datetime) -> None:
    """Go on if the person's plan allows the sweep that was just written; raise PlanLimitError if not."""
    bars = plan.specification.asked_bars
    for limit, asked in (
        (Limit.BARS_PER_RUN, bars),
        (Limit.TRIALS_PER_SWEEP, plan.trials_planned),
    ):
        entitlements.require(owner, limit=limit, used=0, asked=asked, now=now)
    entitlements.require(
        owner,
        limit=Limit.BACKTESTS_PER_DAY,
        used=lambda: usage.count_runs_today(cast(int, owner.pk), now) - 1,
        now=now,
    )


def _create(owner: Owner, plan: SweepPlan, spec_hash: str, *, now: datetime) -> Sweep:
    sweep = Sweep.objects.create(
        owner_id=cast(int, owner.pk),
        **specifications.columns_of(plan.specification),
        spec_hash=spec_hash,
        space=[axis.to_json() for axis in plan.space.axes],
        method=plan.method,
        objective=plan.objective.key,
        least_trades=plan.least_trades,
        seed=plan.seed,
        trials_asked=plan.trials_asked,
        trials_planned=plan.trials_planned,
        requested_at=now,
        lease_until=Now() + claims.message_time(),
    )
    SweepChunk.objects.bulk_create(_chunks(sweep, plan))
    return sweep


def _chunks(sweep: Sweep, plan: SweepPlan) -> Iterator[SweepChunk]:
    specification = plan.specification
    bars = max(specification.window.estimated_bars * len(specification.markets), 1)
    most = _CHUNK_TRIALS if plan.points is not None else _GUIDED_CHUNK_TRIALS
    size = min(max(_CHUNK_BARS // bars, 1), most)
    for number, start in enumerate(range(0, plan.trials_planned, size)):
        points: list[Point] = list(plan.points[start : start + size]) if plan.points else []
        yield SweepChunk(
            owner_id=sweep.owner_id,
            sweep=sweep,
            number=number,
            first_trial=start + 1,
            trial_count=min(size, plan.trials_planned - start),
            points=points_to_json(plan.space.names, points) if points else {},
        )
