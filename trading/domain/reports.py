"""What a venue's report of an order, or its absence, means for ours.

Reports may come late, twice and in any order. Fills are booked first, so the filled quantity is
always what our fills add up to; a report only moves the status, and only as far as our fills bear
it out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from market.enums import OrderStatus
from market.orders import TRANSITIONS

#: Ways of asking about an order that have to agree before it counts as absent.
LOOKUPS_FOR_ABSENCE: Final = 3

_ENDED: Final = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED})
_RESTING: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


@dataclass(frozen=True, slots=True)
class Step:
    """Where a report takes an order; ``awaits_fills`` if the report tells of fills not booked yet.

    ``status`` is None if the order stays where it is.
    """

    status: OrderStatus | None
    awaits_fills: bool = False


def step_for_report(
    current: OrderStatus,
    *,
    quantity: Decimal,
    filled: Decimal,
    reported: OrderStatus,
    reported_filled: Decimal,
) -> Step:
    """Return what a report does to an order of *quantity* of which *filled* is booked."""
    if filled > quantity or reported_filled > quantity:
        return Step(_may(current, OrderStatus.MANUAL_REVIEW))
    awaits = reported_filled > filled
    if awaits or reported is OrderStatus.FILLED:
        # What it has filled decides once the fills are booked; until then it is known to exist.
        target = _status_by_fills(quantity=quantity, filled=filled)
        return Step(_forward(current, target), awaits_fills=awaits or filled < quantity)
    if reported in _ENDED:
        if current is OrderStatus.ACCEPTED and reported is OrderStatus.REJECTED:
            # A venue that first accepts and then rejects has ended the order without a fill.
            reported = OrderStatus.CANCELED
        return Step(_forward(current, reported))
    return Step(_forward(current, _status_by_fills(quantity=quantity, filled=filled)))


def step_for_fill(current: OrderStatus, *, quantity: Decimal, filled: Decimal) -> Step:
    """Return what booking a fill does to an order that now has *filled* of *quantity*."""
    if filled > quantity:
        return Step(_may(current, OrderStatus.MANUAL_REVIEW))
    if filled == quantity:
        return Step(_may(current, OrderStatus.FILLED))
    if current in {OrderStatus.PENDING_CANCEL, OrderStatus.PARTIALLY_FILLED}:
        # A cancellation under way stays one until the venue confirms it.
        return Step(None)
    if current in {OrderStatus.CANCELED, OrderStatus.EXPIRED}:
        return Step(None)
    return Step(_may(current, OrderStatus.PARTIALLY_FILLED))


def is_absent(*, submitted_at: datetime, lookups: int, now: datetime, absence_s: float) -> bool:
    """Tell whether an order that was asked for *lookups* times in vain is proven never to exist."""
    return lookups >= LOOKUPS_FOR_ABSENCE and now - submitted_at >= timedelta(seconds=absence_s)


def counts_as_lookup(last_lookup_at: datetime | None, *, now: datetime, interval_s: float) -> bool:
    """Tell whether a look-up at *now* is far enough from the last one to be further evidence."""
    return last_lookup_at is None or now - last_lookup_at >= timedelta(seconds=interval_s)


def _status_by_fills(*, quantity: Decimal, filled: Decimal) -> OrderStatus:
    if filled >= quantity:
        return OrderStatus.FILLED
    return OrderStatus.PARTIALLY_FILLED if filled > 0 else OrderStatus.ACCEPTED


def _forward(current: OrderStatus, target: OrderStatus) -> OrderStatus | None:
    """Return *target* unless the order is there already or beyond it."""
    if current is OrderStatus.PENDING_CANCEL and target in _RESTING:
        return None
    if current is OrderStatus.PARTIALLY_FILLED and target is OrderStatus.ACCEPTED:
        return None
    return _may(current, target)


def _may(current: OrderStatus, target: OrderStatus) -> OrderStatus | None:
    return target if target in TRANSITIONS.get(current, frozenset()) else None
