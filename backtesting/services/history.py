"""What becomes of runs afterwards: a person marks them, and takes some of them away."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from backtesting.domain import tags as rules
from backtesting.models import BacktestRun, BacktestTrade
from foundation import audit
from foundation.audit import Actor
from foundation.transactions import transactional
from market.errors import ConflictError

#: A deleted run still counts for the day on which it was requested; two days later nobody asks.
_KEPT: Final = timedelta(days=2)
_PURGED_AT_ONCE: Final = 1_000


class RunUnfinishedError(ConflictError):
    """The run is still going on, so it cannot be deleted."""

    code = "run_unfinished"

    def __init__(self) -> None:
        super().__init__("This backtest is not over yet. Cancel it first.")


@transactional
def annotate_run(
    *,
    run_id: int,
    tags: Iterable[str] | None = None,
    notes: str | None = None,
    by: Actor,
) -> BacktestRun:
    """Put other tags or another note on a run; None leaves them as they are.

    Raises InvalidAnnotationError. What is written on a run changes neither it nor its version.
    """
    run = BacktestRun.objects.select_for_update(of=("self",)).get(pk=run_id)
    if tags is not None:
        run.tags = rules.checked_tags(tags)
    if notes is not None:
        run.notes = rules.checked_note(notes)
    run.save(update_fields=["tags", "notes"])
    audit.record(
        actor=by,
        verb="backtest.annotated",
        target=run,
        owner_id=run.owner_id,
        detail={"tags": run.tags, "note_length": len(run.notes)},
    )
    return run


@transactional
def delete_run(*, run_id: int, by: Actor, now: datetime) -> None:
    """Take a run away with its trades and everything that it came to.

    What stays for two days is that there was one: the plan counts runs by the day. Evidence of the
    catalogue is no run and is never touched. Raises RunUnfinishedError.
    """
    run = BacktestRun.objects.select_for_update(of=("self",)).get(pk=run_id)
    if not run.is_finished:
        raise RunUnfinishedError
    if run.deleted_at is not None:
        return
    BacktestTrade.objects.filter(run=run).delete()
    run.deleted_at, run.equity, run.metrics, run.tags, run.notes = now, None, {}, [], ""
    run.version += 1
    run.save(update_fields=["deleted_at", "equity", "metrics", "tags", "notes", "version"])
    audit.record(actor=by, verb="backtest.deleted", target=run, owner_id=run.owner_id)


@transactional
def purge_deleted(*, now: datetime) -> int:
    """Forget runs that were deleted long enough ago; return how many."""
    old = BacktestRun.objects.filter(deleted_at__lt=now - _KEPT).order_by("pk")
    chosen = list(old.values_list("pk", flat=True)[:_PURGED_AT_ONCE])
    BacktestRun.objects.filter(pk__in=chosen).delete()
    return len(chosen)
