"""A person's orders and executions."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from market.enums import Side
from market.errors import NotFoundError
from market.orders import WORKING
from trading.models import (
    Deployment,
    DeploymentInstrument,
    ExternalOrder,
    Fill,
    Order,
    OrderTransition,
)
from trading.selectors.owners import Owner


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders to list; "" leaves a question open. *state* is a stored one, or ``working``."""

    state: str = ""
    symbol: str = ""
    deployment: str = ""


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


def listed_for(
    owner: Owner, *, wanted: OrderFilter, before: str = "", limit: int
) -> Sequence[Order]:
    """Return the orders of *owner* that are asked for, newest first, each with its steps.

    *before* is the public id of the last one of the page before: a list of a million is never
    counted, nor read up to where it is looked at. Raises OrderNotFoundError for any other text.
    """
    steps = OrderTransition.objects.order_by("pk")
    found = Order.objects.filter(owner_id=owner.pk)
    if wanted.state == "working":
        found = found.filter(status__in=[status.value for status in WORKING])
    elif wanted.state:
        found = found.filter(status=wanted.state)
    if wanted.deployment:
        found = found.filter(deployment__public_id=wanted.deployment)
    if before:
        found = found.filter(pk__lt=_key_of(owner, before))
    if wanted.symbol:
        found = found.filter(pk__in=_newest_in(found, owner, symbol=wanted.symbol, limit=limit))
    return list(
        found.select_related("instrument__venue", "intent", "deployment")
        .prefetch_related(Prefetch("transitions", queryset=steps))
        .order_by("-pk")[:limit]
    )


def _newest_in(found: QuerySet[Order], owner: Owner, *, symbol: str, limit: int) -> Sequence[int]:
    """Return the keys of the newest of *found* in the markets of a symbol, one on each venue.

    Asked market by market: in an index that names one the newest stand together, while to find orders
    of any of several is to go through all of the person's, as there may be none.
    """
    traded = DeploymentInstrument.objects.filter(
        owner_id=owner.pk, instrument__symbol=symbol.upper()
    )
    keys: list[int] = []
    for instrument_id in traded.values_list("instrument_id", flat=True).distinct():
        here = found.filter(instrument_id=instrument_id).order_by("-pk")
        keys += here.values_list("pk", flat=True)[:limit]
    return sorted(keys, reverse=True)[:limit]


def _key_of(owner: Owner, public_id: str) -> int:
    try:
        return Order.objects.only("pk").get(owner_id=owner.pk, public_id=UUID(public_id)).pk
    except (ValueError, Order.DoesNotExist):
        raise OrderNotFoundError from None


def external_for(owner: Owner, *, limit: int) -> Sequence[ExternalOrder]:
    """Return what rests on the accounts of *owner* and was not made here, newest first."""
    resting = ExternalOrder.objects.filter(owner_id=owner.pk, gone_at=None)
    return list(
        resting.select_related("instrument", "account__venue").order_by("-first_seen_at", "-pk")[
            :limit
        ]
    )


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
