"""What a venue's report of an order, or its absence, means for ours.

Reports may come late, twice and in any order. Fills are booked first, so the filled quantity is
always what our fills add up to; a report only moves the status, and only as far as our fills bear
it out.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from market.enums import OrderActor, OrderStatus
from market.orders import TERMINAL, is_permitted

_ENDED: Final = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED})
_RESTING: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
_AT_VENUE: Final = _RESTING | {OrderStatus.PENDING_CANCEL}


@dataclass(frozen=True, slots=True)
class Step:
    """Where a report takes an order; ``awaits_fills`` if the report tells of fills not booked yet.

    ``status`` is None if the order stays where it is. ``contradiction`` says why what was heard
    cannot be true together with what is known; then an operator has to look.
    """

    status: OrderStatus | None
    awaits_fills: bool = False
    contradiction: str = ""


def speaker(current: OrderStatus) -> OrderActor | None:
    """Return as whom the holder of a venue's answer may speak of an order, None if not at all.

    Once the order is in doubt, or over, only whoever asks anew may settle it: the answer is old.
    """
    if current is OrderStatus.SUBMITTING:
        return OrderActor.SUBMITTER
    return OrderActor.VENUE if current in _AT_VENUE else None


def step_for_report(
    current: OrderStatus,
    *,
    quantity: Decimal,
    filled: Decimal,
    reported: OrderStatus,
    reported_filled: Decimal,
    actor: OrderActor,
    is_recent: bool = False,
) -> Step:
    """Return what a report does to an order of *quantity* of which *filled* is booked.

    *is_recent* says that the order has just moved, so that a report may be older than that.
    """
    if current is OrderStatus.MANUAL_REVIEW:
        # Only an operator ends that.
        return Step(None)
    if filled > quantity or reported_filled > quantity:
        return Step(None, contradiction="more is filled than was ordered")
    awaits = reported_filled > filled
    by_fills = _status_by_fills(quantity=quantity, filled=filled)
    if awaits or reported is OrderStatus.FILLED:
        # What it has filled decides once the fills are booked; until then it is known to exist.
        target, awaits = by_fills, awaits or filled < quantity
    elif reported is OrderStatus.REJECTED and current in _AT_VENUE:
        # A venue that first accepts and then rejects has ended the order without a fill.
        target = OrderStatus.CANCELED
    else:
        target = reported if reported in _ENDED else by_fills
    if _is_old_news(current, target, reported=reported, awaits=awaits):
        return Step(None, awaits_fills=awaits)
    if is_permitted(current, target, actor=actor):
        return Step(target, awaits_fills=awaits)
    if is_recent or actor is not OrderActor.RECONCILER or current is OrderStatus.SUBMITTING:
        # Whoever asks again sees whether it stays like that.
        return Step(None, awaits_fills=awaits)
    return Step(None, awaits, contradiction=f"{current.value} with us, {reported.value} there")


def step_for_fill(
    current: OrderStatus, *, quantity: Decimal, filled: Decimal, actor: OrderActor
) -> Step:
    """Return what booking a fill does to an order that now has *filled* of *quantity*."""
    if current is OrderStatus.MANUAL_REVIEW:
        return Step(None)
    if filled > quantity:
        return Step(None, contradiction="more is filled than was ordered")
    if current in {OrderStatus.REJECTED, OrderStatus.DENIED}:
        return Step(None, contradiction=f"{current.value} with us, and it fills")
    if filled == quantity:
        target = OrderStatus.FILLED
    elif current in TERMINAL - {OrderStatus.ABANDONED} or current is OrderStatus.PENDING_CANCEL:
        # What has ended stays so, and a cancellation under way one until the venue confirms it.
        return Step(None)
    else:
        target = OrderStatus.PARTIALLY_FILLED
    return Step(target if is_permitted(current, target, actor=actor) else None)


def _status_by_fills(*, quantity: Decimal, filled: Decimal) -> OrderStatus:
    if filled >= quantity:
        return OrderStatus.FILLED
    return OrderStatus.PARTIALLY_FILLED if filled > 0 else OrderStatus.ACCEPTED


def _is_old_news(
    current: OrderStatus, target: OrderStatus, *, reported: OrderStatus, awaits: bool
) -> bool:
    """Tell whether an order is where a report would take it, or beyond it."""
    if current is target:
        return True
    if current is OrderStatus.PENDING_CANCEL:
        return target in _RESTING
    if current is OrderStatus.PARTIALLY_FILLED:
        return target is OrderStatus.ACCEPTED
    if current is OrderStatus.FILLED:
        # Its fills are booked to the last unit: no report says more than they do.
        return True
    if current in {OrderStatus.CANCELED, OrderStatus.EXPIRED}:
        # Ended is ended, under whatever name; a late part of a fill changes what it has filled.
        return target is not OrderStatus.FILLED and (awaits or reported in _ENDED)
    return current is OrderStatus.ABANDONED and target is OrderStatus.REJECTED
