"""What a person's backtests count for in their plan."""

from datetime import UTC, datetime

from backtesting.models import BacktestRun, StrategyCheck, Sweep
from billing.domain.limits import Limit
from billing.selectors import usage


def connect() -> None:
    """Let the usage page count runs; called once when the app is ready."""
    usage.count_with(Limit.BACKTESTS_PER_DAY, count_runs_today)


def count_runs_today(owner_id: int, now: datetime) -> int:
    """Return how many runs, sweeps and checks a person has asked for since 00:00 UTC."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    asked = {"owner_id": owner_id, "requested_at__gte": midnight}
    return sum(
        model.objects.filter(**asked).count() for model in (BacktestRun, Sweep, StrategyCheck)
    )
