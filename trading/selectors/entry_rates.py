"""How often deployments enter, and how often they usually do: for the rule that stops what runs wild."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Count, QuerySet

from market.enums import Leg
from strategies.selectors import catalogue
from trading.models import IDLE_STATES, Deployment, Order

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)

#: So far back a deployment's own past counts as usual.
_MEMORY: Final = timedelta(days=7)


def entries_since(since: datetime, *, least: int) -> dict[int, int]:
    """Return how many entries each live deployment at work has sent, where those are at least *least*."""
    rows = (
        _entries(since)
        .exclude(deployment__actual_state__in=IDLE_STATES)
        .values_list("deployment_id")
        .annotate(number=Count("pk"))
        .filter(number__gte=least)
        .order_by()
    )
    return dict(rows)


def count_of(deployment: Deployment, *, since: datetime) -> int:
    """Return how many entries *deployment* has sent."""
    return _entries(since).filter(deployment=deployment).count()


def usual_a_day(deployments: Iterable[Deployment], *, before: datetime) -> dict[int, Decimal]:
    """Return how many entries a day are usual for each, where that is known.

    The more of what it did itself in the week before, once it has run for a day, and of what the
    backtests of its strategy's version on bars of this length did.
    """
    chosen = list(deployments)
    past = dict(
        _entries(before - _MEMORY)
        .filter(submitted_at__lte=before, deployment__in=chosen)
        .values_list("deployment_id")
        .annotate(number=Count("pk"))
        .order_by()
    )
    tested = catalogue.trades_a_day({each.strategy_version_id for each in chosen})
    usual: dict[int, Decimal] = {}
    for each in chosen:
        rates = []
        ran = min(_MEMORY, before - each.started_at) if each.started_at else timedelta(0)
        if ran >= _DAY:
            rates.append(Decimal(past.get(each.pk, 0)) * (_DAY // _SECOND) / (ran // _SECOND))
        in_tests = tested.get((each.strategy_version_id, each.timeframe))
        if in_tests is not None:
            rates.append(in_tests)
        if rates:
            usual[each.pk] = max(rates).quantize(Decimal("0.1"))
    return usual


def _entries(since: datetime) -> QuerySet[Order]:
    return Order.objects.filter(submitted_at__gt=since, leg=Leg.ENTRY.value, account__kind="LIVE")
