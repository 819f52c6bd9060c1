"""What a person's backtests count for in their plan."""

from datetime import UTC, datetime

from backtesting.models import BacktestRun, Sweep
from billing.domain.limits import Limit
from billing.selectors import usage


def connect() -> None:
    """Let the usage page count runs; called once when the app is ready."""
    usage.count_with(Limit.BACKTESTS_PER_DAY, count_runs_today)


def count_runs_today(owner_id: int, now: datetime) -> int:
    """Return how many runs and sweeps a person has asked for since 00:00 UTC, whatever came of them."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    asked = {"owner_id": owner_id, "requested_at__gte": midnight}
    return BacktestRun.objects.filter(**asked).count() + Sweep.objects.filter(**asked).count()
