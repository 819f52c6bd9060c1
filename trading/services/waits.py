"""What waits for another order to end: when it is looked at again, and what makes way for it."""

from datetime import datetime, timedelta

from django.conf import settings

from foundation.transactions import part_of_transaction
from market.enums import Leg, OrderStatus
from market.orders import RESTING
from trading.domain.verdicts import Wait
from trading.models import Order, OrderIntent
from trading.services import checks, protection
from trading.services.checks import Situation


@part_of_transaction
def make_way(intent: OrderIntent, *, now: datetime) -> None:
    """Cancel what an exit, or a stop of another size, has to wait for."""
    legs = _that_make_way(intent)
    if legs:
        protection.cancel_resting(
            intent.deployment,
            instrument_id=intent.instrument_id,
            legs=legs,
            now=now,
            why=f"{intent.leg} comes first",
        )


def _that_make_way(intent: OrderIntent) -> frozenset[Leg]:
    """Return which orders that rest are canceled for *intent*."""
    if not intent.reduce_only:
        return frozenset()
    if checks.closes_at_once(intent):
        return protection.AROUND
    return frozenset() if intent.leg == Leg.TARGET else frozenset({Leg.STOP})


def look_again_at(
    intent: OrderIntent, *, verdict: Wait, situation: Situation, now: datetime
) -> datetime:
    """Return when a decision that waits is looked at again.

    In the next turn if something in its way is answered for in this one; otherwise after a pause, so
    that a cancellation which fails is not asked for without end.
    """
    if verdict in {Wait.REDUCING_ORDER_WORKS, Wait.FORMER_ENTRY_ENDS}:
        works = situation.working.get((intent.deployment_id, intent.instrument_id), ())
        if any(_is_answered_for(order, intent, now) for order in works):
            return now
    return now + timedelta(seconds=settings.HORIZONS.retry_s)


def _is_answered_for(order: Order, intent: OrderIntent, now: datetime) -> bool:
    """Tell whether *order* is sent in this turn, or its cancellation is."""
    if not order.client_order_id:
        # It is made in this turn.
        return True
    if order.status == OrderStatus.PENDING_CANCEL:
        return order.next_check_at is None or order.next_check_at <= now
    return OrderStatus(order.status) in RESTING and Leg(order.leg) in _that_make_way(intent)
