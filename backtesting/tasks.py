"""What workers do for backtests; each task is one call."""

from celery import shared_task
from django.utils import timezone

from backtesting.services import execution, runs


@shared_task(name="backtesting.execute_run", queue="compute", soft_time_limit=240, time_limit=300)
def execute_run(*, run_id: int) -> None:
    """Compute one run."""
    execution.execute_run(run_id=run_id)


@shared_task(name="backtesting.sweep", queue="default")
def sweep() -> None:
    """Send again for runs whose message or worker was lost."""
    runs.sweep(now=timezone.now())
