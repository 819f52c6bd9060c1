"""How trading is doing, over all people: for operators and alerts, never for a person's page."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from foundation import replica
from market.enums import OrderStatus
from trading.models import IDLE_STATES, Deployment, Order, ReconciliationReport

#: Orders that are not finished, and those that a person has to look at.
_WATCHED = (
    OrderStatus.SUBMITTING,
    OrderStatus.UNKNOWN,
    OrderStatus.ACCEPTED,
    OrderStatus.PARTIALLY_FILLED,
    OrderStatus.PENDING_CANCEL,
    OrderStatus.MANUAL_REVIEW,
)

#: Deployments of which nothing runs any more.
_ENDED = IDLE_STATES


def orders_by_status() -> dict[OrderStatus, int]:
    """Return how many orders there are in each status that is not an end; absent ones count 0."""
    rows = (
        Order.objects.using(replica.using())
        .filter(status__in=_WATCHED)
        .values_list("status")
        .annotate(count=Count("pk"))
    )
    return dict.fromkeys(_WATCHED, 0) | {OrderStatus(status): count for status, count in rows}


def oldest_unknown_age_s(*, now: datetime) -> float:
    """Return how long ago the oldest order of unknown outcome was sent; 0 if there is none."""
    oldest = Order.objects.filter(status=OrderStatus.UNKNOWN).aggregate(at=Min("submitted_at"))
    return max(0.0, (now - oldest["at"]).total_seconds()) if oldest["at"] else 0.0


def deployments_by_state() -> dict[tuple[str, str, str], int]:
    """Return how many deployments there are by desired state, actual state and health."""
    rows = (
        Deployment.objects.using(replica.using())
        .values_list("desired_state", "actual_state", "health")
        .annotate(count=Count("pk"))
        .order_by()
    )
    return {(desired, actual, health): count for desired, actual, health, count in rows}


def deployments_by_strategy() -> dict[int, tuple[int, int]]:
    """Return how many deployments each strategy has by its id: those that are not stopped, and all."""
    rows = (
        Deployment.objects.using(replica.using())
        .values_list("strategy_version__strategy_id")
        .annotate(standing=Count("pk", filter=~Q(actual_state__in=_ENDED)), count=Count("pk"))
        .order_by()
    )
    return {strategy_id: (standing, count) for strategy_id, standing, count in rows}


def reports_with_findings(*, now: datetime, most: int) -> Sequence[ReconciliationReport]:
    """Return the daily reports of today and yesterday that are not empty, those with most first."""
    found = ReconciliationReport.objects.using(replica.using()).filter(
        day__gte=(now - timedelta(days=1)).date(), finding_count__gt=0
    )
    return list(
        found.select_related("account__venue", "owner").order_by("-day", "-finding_count", "-pk")[
            :most
        ]
    )
