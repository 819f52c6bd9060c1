"""What one account is asked in a turn of reconciliation: which orders, which symbols, since when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Q

from exchanges.services import leases
from exchanges.services.leases import AccountLease
from foundation.transactions import transactional
from market.enums import OrderStatus
from market.orders import WORKING
from trading.models import DeploymentInstrument, DeploymentPosition, Order
from trading.selectors import markets
from trading.services import lookups, venues
from trading.services.questions import Booked, Lookups

if TYPE_CHECKING:
    from exchanges.models import ExchangeAccount

#: Executions are asked for again from this long before the last known one: they may appear late.
_OVERLAP: Final = timedelta(minutes=5)

#: For so long after a deployment's end, and so far back after a surprise, executions are looked for.
LOOK_BACK: Final = timedelta(hours=48)

#: Orders that are looked at in one turn of one account.
_MOST_ORDERS: Final = 200

#: An abandoned order is still looked for this long.
_WATCH: Final = timedelta(hours=24)

#: Somebody waits to hear what became of these.
_IN_DOUBT: Final = frozenset(
    {OrderStatus.UNKNOWN, OrderStatus.PENDING_CANCEL, OrderStatus.MANUAL_REVIEW}
)


#: Nobody knows what the venue has made of these, or is about to.
_ON_THE_WAY: Final = (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN, OrderStatus.PENDING_CANCEL)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of one account in a turn.

    A turn is either a comparison of everything, or only about orders whose fate nobody knows.
    ``orders`` are their keys by their ids at the venue, ``began_at`` is by the database's clock.
    """

    lease: AccountLease
    lookups: Lookups
    orders: Mapping[str, int]
    symbols: Mapping[str, int]
    is_busy: bool
    is_complete: bool
    began_at: datetime


@transactional
def make(lease: AccountLease, *, now: datetime, is_complete: bool, since: datetime | None) -> Plan:
    """Return what to ask of an account's venue; orders that a dead worker left become UNKNOWN.

    Executions are asked for from *since* on at the latest. Raises AccountLeaseLostError.
    """
    began_at = leases.database_now()
    account = leases.require(lease, seconds=venues.claim_seconds())
    lookups.doubt_left_behind(account_id=account.pk, now=now)
    wanted: list[Order] = []
    symbols: dict[str, int] = {}
    if not markets.is_paper(account):
        wanted = _unfinished(account, now)
        if is_complete:
            symbols = _symbols(account, now)
        else:
            wanted = [order for order in wanted if order.status in _IN_DOUBT]
            symbols = {order.instrument.symbol: order.instrument_id for order in wanted}
    fills_since = _fills_since(account, now)
    return Plan(
        lease=lease,
        lookups=Lookups(
            account_id=account.pk,
            orders=[(order.instrument.symbol, order.client_order_id) for order in wanted],
            symbols=sorted(symbols),
            fills_since=fills_since if since is None else min(since, fills_since),
            stops=frozenset(
                order.client_order_id for order in wanted if order.trigger_price is not None
            ),
            booked=_booked(account),
        ),
        orders={order.client_order_id: order.pk for order in wanted},
        symbols=symbols,
        is_busy=bool(wanted) or _holds_something(account),
        is_complete=is_complete,
        began_at=began_at,
    )


def _unfinished(account: "ExchangeAccount", now: datetime) -> list[Order]:
    """Return the orders to ask about, those in doubt first, then the one that has waited longest."""
    slow_cancel = now - timedelta(seconds=settings.HORIZONS.in_flight_s)
    due = (
        Order.objects.filter(account=account)
        .filter(
            Q(status__in=[status.value for status in WORKING if status != OrderStatus.SUBMITTING])
            | Q(status=OrderStatus.ABANDONED.value, submitted_at__gt=now - _WATCH)
            # An operator wants to hear once more what the venue says of it.
            | Q(status=OrderStatus.MANUAL_REVIEW.value)
        )
        .filter(
            Q(next_check_at__lte=now)
            # It is canceled again and again, and each time put off: what it is, only a look-up tells.
            | Q(status=OrderStatus.PENDING_CANCEL.value, active_at__lte=slow_cancel)
        )
        .select_related("instrument")
        .order_by("next_check_at", "pk")[:_MOST_ORDERS]
    )
    return sorted(due, key=lambda order: order.status not in _IN_DOUBT)


def _symbols(account: "ExchangeAccount", now: datetime) -> dict[str, int]:
    """Return the instruments of an account that our orders or positions are in, by symbol.

    What a deployment traded that has ended lately is among them: its orders may still fill late.
    """
    traded = DeploymentInstrument.objects.filter(account=account).filter(
        Q(is_active=True) | Q(deployment__stopped_at__gt=now - LOOK_BACK)
    )
    held = DeploymentPosition.objects.filter(deployment__account=account).exclude(quantity=0)
    unsettled = [status.value for status in (*WORKING, OrderStatus.MANUAL_REVIEW)]
    open_orders = Order.objects.filter(account=account, status__in=unsettled)
    found: dict[str, int] = {}
    for rows in (traded, held, open_orders):
        found |= dict(rows.values_list("instrument__symbol", "instrument_id").distinct())
    return found


def _fills_since(account: "ExchangeAccount", now: datetime) -> datetime:
    """Return from when on executions are asked for.

    That is a little before the last complete comparison, or before the oldest order in doubt. An
    order that rests is no reason to go further back: what it fills appears after it fills.
    """
    oldest = (
        Order.objects.filter(account=account)
        .filter(
            Q(status__in=[status.value for status in _ON_THE_WAY])
            | Q(status=OrderStatus.MANUAL_REVIEW.value, next_check_at__lte=now)
        )
        .order_by("submitted_at")
        .values_list("submitted_at", flat=True)
        .first()
    )
    since = account.fills_cursor_at or now - LOOK_BACK
    return min(since, oldest or since) - _OVERLAP


def _booked(account: "ExchangeAccount") -> dict[str, Booked]:
    """Return what is booked of each order that rests, by its client order id."""
    resting = Order.objects.filter(
        account=account, status__in=[status.value for status in WORKING]
    ).order_by("-pk")[:_MOST_ORDERS]
    return {
        order.client_order_id: Booked(order.filled_quantity, order.submitted_at)
        for order in resting.only("client_order_id", "filled_quantity", "submitted_at")
    }


def _holds_something(account: "ExchangeAccount") -> bool:
    return (
        Order.objects.filter(
            account=account, status__in=[status.value for status in WORKING]
        ).exists()
        or DeploymentPosition.objects.filter(deployment__account=account)
        .exclude(quantity=0)
        .exists()
    )
