"""What workers do for backtests; each task is one call."""

from typing import Any

from celery.signals import worker_init
from django.utils import timezone

from backtesting import engine
from backtesting.services import (
    awaited,
    checking,
    checks,
    chunks,
    evidence,
    execution,
    history,
    runs,
    sweeps,
)
from foundation.queue import queued_task
from strategies.services import evidence as wishes


@worker_init.connect
def load_engine(sender: Any, **_: Any) -> None:
    """Load the engine before the worker forks: once for all its children, outside of any claim."""
    if "compute" in sender.app.amqp.queues.consume_from:
        engine.preload()


@queued_task("backtesting.execute_run", queue="compute", soft_time_limit=240, time_limit=300)
def execute_run(*, run_id: int) -> None:
    """Compute one run."""
    execution.execute_run(run_id=run_id)


@queued_task("backtesting.sweep", queue="default")
def sweep() -> None:
    """Send again for runs whose message or worker was lost."""
    runs.sweep(now=timezone.now())


@queued_task("backtesting.look_after_awaited", queue="default")
def look_after_awaited() -> None:
    """Look after backtests that wait for candles."""
    awaited.look_after_due(now=timezone.now())


@queued_task("backtesting.purge_deleted", queue="default")
def purge_deleted() -> None:
    """Forget runs that people have deleted."""
    history.purge_deleted(now=timezone.now())


@queued_task("backtesting.purge_sweeps", queue="default")
def purge_sweeps() -> None:
    """Forget sweeps that people have deleted."""
    sweeps.purge_deleted(now=timezone.now())


@queued_task("backtesting.record_evidence", queue="compute", soft_time_limit=240, time_limit=300)
def record_evidence(*, strategy_id: int) -> None:
    """Compute a backtest for the catalogue."""
    evidence.answer_wish(strategy_id=strategy_id, now=timezone.now())


@queued_task("backtesting.sweep_evidence", queue="default")
def sweep_evidence() -> None:
    """Ask again for backtests of the catalogue whose message or worker was lost."""
    wishes.sweep_wishes(now=timezone.now())


@queued_task("backtesting.work_on_sweep", queue="compute", soft_time_limit=240, time_limit=300)
def work_on_sweep(*, sweep_id: int) -> None:
    """Compute the next trials of a sweep."""
    chunks.work_on_sweep(sweep_id=sweep_id, now=timezone.now())


@queued_task("backtesting.look_after_sweeps", queue="default")
def look_after_sweeps() -> None:
    """Send again for sweeps whose message or worker was lost."""
    sweeps.look_after_sweeps(now=timezone.now())


@queued_task("backtesting.execute_check", queue="compute", soft_time_limit=240, time_limit=300)
def execute_check(*, check_id: int) -> None:
    """Compute one check of a strategy."""
    checking.execute_check(check_id=check_id)


@queued_task("backtesting.sweep_checks", queue="default")
def sweep_checks() -> None:
    """Send again for checks whose message or worker was lost."""
    checks.sweep_checks(now=timezone.now())
