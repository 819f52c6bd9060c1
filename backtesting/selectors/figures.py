"""How backtests do, over all people: for operators, never for a person's page."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count

from backtesting.models import BacktestRun, RunStatus
from foundation import replica

_DAY: Final = timedelta(days=1)


def runs_of_a_day(*, now: datetime) -> dict[RunStatus, int]:
    """Return how many runs that were requested within a day are in each status; absent ones count 0."""
    rows = (
        BacktestRun.objects.using(replica.using())
        .filter(requested_at__gte=now - _DAY)
        .values_list("status")
        .annotate(count=Count("pk"))
        .order_by()
    )
    return dict.fromkeys(RunStatus, 0) | {RunStatus(status): count for status, count in rows}
