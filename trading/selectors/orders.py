"""A person's orders and executions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Prefetch

from market import money
from market.enums import Side
from market.errors import NotFoundError
from trading.models import (
    Deployment,
    Fill,
    IntentStatus,
    Order,
    OrderIntent,
    OrderTransition,
)
from trading.selectors.owners import Owner


class OrderNotFoundError(NotFoundError):
    """There is no such order, or it is somebody else's."""

    code = "order_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such order.")


@dataclass(frozen=True, slots=True)
class PnlPoint:
    """What a deployment had earned after a fill, fees paid, in the settle currency."""

    at: datetime
    net_pnl: Decimal


def orders_for(
    owner: Owner, *, deployment: Deployment | None = None, limit: int = 50
) -> Sequence[Order]:
    """Return the last orders of *owner*, newest first, each with ``transitions`` oldest first."""
    steps = OrderTransition.objects.order_by("pk")
    found = (
        Order.objects.filter(owner_id=owner.pk)
        .select_related("instrument__venue", "intent", "deployment")
        .prefetch_related(Prefetch("transitions", queryset=steps))
        .order_by("-pk")
    )
    if deployment is not None:
        found = found.filter(deployment=deployment)
    return list(found[:limit])


def get_order_for(owner: Owner, *, public_id: UUID) -> Order:
    """Return an order of *owner*; raise OrderNotFoundError for any other."""
    found = Order.objects.filter(owner_id=owner.pk).select_related(
        "instrument__venue", "intent", "deployment"
    )
    try:
        return found.get(public_id=public_id)
    except Order.DoesNotExist:
        raise OrderNotFoundError from None


def fills_for(
    owner: Owner, *, deployment: Deployment | None = None, limit: int = 50
) -> Sequence[Fill]:
    """Return the last executions of *owner*, newest first."""
    found = (
        Fill.objects.filter(owner_id=owner.pk)
        .select_related("instrument__venue", "order__intent", "deployment")
        .order_by("-pk")
    )
    if deployment is not None:
        found = found.filter(deployment=deployment)
    return list(found[:limit])


def denied_for(owner: Owner, *, deployment: Deployment, limit: int = 50) -> Sequence[OrderIntent]:
    """Return what our own limits refused a deployment of *owner*, newest first."""
    found = OrderIntent.objects.filter(
        owner_id=owner.pk, deployment=deployment, status=IntentStatus.DENIED
    ).select_related("instrument")
    return list(found.order_by("-pk")[:limit])


def pnl_series_for(
    owner: Owner, *, deployment: Deployment, limit: int = 5_000
) -> Sequence[PnlPoint]:
    """Return how the settled result of a deployment grew, oldest first, a point per execution.

    With more than *limit* executions the oldest points are left out, not their amounts.
    """
    fills = Fill.objects.filter(owner_id=owner.pk, deployment=deployment).order_by("pk")
    rows = fills.values_list("venue_at", "realized_pnl", "fee_in_quote")
    points: list[PnlPoint] = []
    total = Decimal(0)
    for at, realized, fee in rows.iterator(chunk_size=2_000):
        total += realized - (fee or Decimal(0))
        points.append(PnlPoint(at, money.quantize_money(total)))
    return points[-limit:]


def slippage_bps(fill: Fill) -> Decimal | None:
    """Return how much worse than the price at the decision a fill was, in basis points."""
    decided = fill.order.intent.decided_price
    if not decided:
        return None
    sign = 1 if fill.side == Side.BUY else -1
    against: Decimal = sign * (fill.price - decided) / decided * 10_000
    return against
