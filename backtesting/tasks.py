"""What workers do for backtests; each task is one call."""

from django.utils import timezone

from backtesting.services import execution, runs
from foundation.queue import queued_task


@queued_task("backtesting.execute_run", queue="compute", soft_time_limit=240, time_limit=300)
def execute_run(*, run_id: int) -> None:
    """Compute one run."""
    execution.execute_run(run_id=run_id)


@queued_task("backtesting.sweep", queue="default")
def sweep() -> None:
    """Send again for runs whose message or worker was lost."""
    runs.sweep(now=timezone.now())
