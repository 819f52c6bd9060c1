"""A person's orders and executions."""

from collections.abc import Sequence
from decimal import Decimal

from django.db.models import Prefetch

from market.enums import Side
from market.errors import NotFoundError
from trading.models import (
    Deployment,
    Fill,
    Order,
    OrderTransition,
)
from trading.selectors.owners import Owner


class OrderNotFoundError(NotFoundError):
    """There is no such order, or it is somebody else's."""

    code = "order_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such order.")


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


def slippage_bps(fill: Fill) -> Decimal | None:
    """Return how much worse than the price at the decision a fill was, in basis points."""
    decided = fill.order.intent.decided_price
    if not decided:
        return None
    sign = 1 if fill.side == Side.BUY else -1
    against: Decimal = sign * (fill.price - decided) / decided * 10_000
    return against
