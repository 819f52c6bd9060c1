"""The orders around a position, brought in line with what is wanted: placed, moved or taken away.

Each kind has one place: the stop, every target, the next order of the ladder. What stands there with
another size or price is canceled before its successor is sent, so there are never two. The successor
has its row from that moment on: at any time either the old one or the new one is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from foundation.transactions import part_of_transaction
from market import money
from market.enums import Leg, OrderActor, OrderStatus, OrderType, Side
from market.orders import RESTING, TERMINAL
from trading.domain import brackets, keys, sizing
from trading.domain.brackets import Bracket
from trading.domain.kernel import IntentValues
from trading.models import Deployment, DeploymentPosition, IntentStatus, Order, OrderIntent
from trading.services import intents, orders
from trading.services.intents import Decided
from trading.services.trades import Placed, Trade

#: A target, or an order of the ladder, that came to nothing so often is left to closed bars.
_MOST_FAILURES: Final = 3

_IN_DOUBT: Final = frozenset({OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order that should stand at the venue; ``trails`` if it follows the price."""

    leg: Leg
    side: Side
    order_type: OrderType
    quantity: Decimal
    level: Decimal
    step: int = 0
    trails: bool = False

    @property
    def values(self) -> IntentValues:
        """The order in words of a decision."""
        is_limit = self.order_type is OrderType.LIMIT
        return IntentValues(
            leg=self.leg,
            side=self.side,
            order_type=self.order_type,
            quantity=self.quantity,
            price=self.level if is_limit else None,
            trigger_price=None if is_limit else self.level,
            reduce_only=self.leg is not Leg.LADDER,
            stop_percent=0.0,
            target_percent=0.0,
        )


@part_of_transaction
def place(
    deployment: Deployment,
    *,
    trade: Trade,
    wanted: Wanted,
    instrument_id: int,
    key: str,
    now: datetime,
) -> None:
    """Write down that *wanted* is to be sent for a locked *deployment*."""
    decided = decision(deployment, trade=trade, wanted=wanted, instrument_id=instrument_id, key=key)
    intents.write([decided], now=now)


def decision(
    deployment: Deployment, *, trade: Trade, wanted: Wanted, instrument_id: int, key: str
) -> Decided:
    """Return the decision to send *wanted*."""
    entry = trade.entry.intent
    return intents.Decided(
        deployment=deployment,
        revision_id=entry.revision_id,
        instrument_id=instrument_id,
        key=key,
        values=wanted.values,
        decided_price=wanted.level,
        # A rung adds whenever the price comes to it; it is not decided at a bar's close.
        bar_close_at=None if wanted.leg is Leg.LADDER else entry.bar_close_at,
        reason="",
        entry_id=entry.pk,
        step=wanted.step,
    )


@part_of_transaction
def take_away(
    deployment: Deployment, *, placed: Sequence[Placed], code: str, now: datetime, why: str
) -> None:
    """Let what waits of *placed* go, and ask for the cancellation of what rests."""
    waiting = [each.intent.pk for each in placed if each.intent.status == IntentStatus.NEW]
    if waiting:
        intents.supersede(OrderIntent.objects.filter(pk__in=waiting), code=code)
    resting = [each.last.pk for each in placed if each.last is not None and each.status in RESTING]
    cancel(deployment, order_ids=resting, now=now, why=why)


@part_of_transaction
def cancel(
    deployment: Deployment,
    *,
    order_ids: Sequence[int],
    now: datetime,
    why: str,
    by: OrderActor = OrderActor.STRATEGY,
) -> None:
    """Ask for the cancellation of those of a locked *deployment*'s orders that rest."""
    if not order_ids:
        return
    resting = Order.objects.select_for_update(of=("self",)).filter(
        pk__in=order_ids, status__in=[status.value for status in RESTING]
    )
    for order in resting.order_by("pk"):
        order.deployment = deployment
        orders.request_cancel(order, actor=by, now=now, why=why)


@part_of_transaction
def align(
    deployment: Deployment,
    *,
    trade: Trade,
    leg: Leg,
    wanted: Sequence[Wanted],
    instrument_id: int,
    now: datetime,
) -> None:
    """Bring targets, or the ladder, in line with what is *wanted* of them: nothing twice."""
    steps = {each.step: each for each in wanted}
    unwanted = [
        each for each in trade.of_leg(leg) if each.is_alive and each.intent.step not in steps
    ]
    take_away(deployment, placed=unwanted, code="NOT_WANTED", now=now, why="it has no purpose now")
    for each in wanted:
        placed = trade.of_leg(leg, step=each.step)
        alive = [one for one in placed if one.is_alive]
        if any(stands_for(one, wanted=each) for one in alive):
            continue
        take_away(deployment, placed=alive, code="REPLACED", now=now, why="its terms have changed")
        if sum(map(_came_to_nothing, placed)) >= _MOST_FAILURES:
            continue
        key = keys.attached_key(
            trade.entry.intent.decision_key, leg=leg, step=each.step, number=len(placed)
        )
        place(deployment, trade=trade, wanted=each, instrument_id=instrument_id, key=key, now=now)


def stands_for(placed: Placed, *, wanted: Wanted) -> bool:
    """Tell whether a decision waits, works or is in doubt with the size and price of *wanted*."""
    level = placed.intent.trigger_price or placed.intent.price
    if level is None or brackets.is_moved(
        money.float_of(level), money.float_of(wanted.level), trails=wanted.trails
    ):
        return False
    if placed.intent.status == IntentStatus.NEW:
        return bool(placed.intent.quantity == wanted.quantity)
    last = placed.last
    if last is None or not placed.is_alive or last.status == OrderStatus.PENDING_CANCEL:
        return False
    if placed.status in _IN_DOUBT:
        # Whether it rests is not known yet; two of them would be worse than a late one.
        return True
    if wanted.leg is Leg.STOP:
        # One that was cut to what is free at the venue stays: another would be cut as well.
        is_cut = placed.intent.quantity == wanted.quantity and not last.filled_quantity
        return bool(is_cut or last.quantity - last.filled_quantity == wanted.quantity)
    # One that has begun to fill is left to end.
    return bool(last.filled_quantity) or bool(last.quantity == wanted.quantity)


def _came_to_nothing(placed: Placed) -> bool:
    if placed.is_refused or placed.never_arrived:
        return True
    last = placed.last
    return (
        last is not None
        and OrderStatus(last.status) in TERMINAL
        and last.status in {OrderStatus.DENIED, OrderStatus.ABANDONED}
    )


def targets_of(position: DeploymentPosition, *, bracket: Bracket) -> Sequence[Wanted]:
    """Return the targets of *bracket* that are large enough to be orders."""
    return [
        Wanted(
            leg=Leg.TARGET,
            side=sizing.closing_side(position.quantity),
            order_type=OrderType.LIMIT,
            quantity=money.from_lots(target.lots, step=position.instrument.lot_step),
            level=money.from_ticks(target.ticks, tick=position.instrument.tick_size),
            step=target.step,
        )
        for target in bracket.targets
        if target.lots
    ]


def rungs_of(position: DeploymentPosition, *, bracket: Bracket) -> Sequence[Wanted]:
    """Return the next order of the ladder, or nothing: one stands at a time."""
    state, instrument = bracket.state, position.instrument
    if not state.ladder_ticks:
        return ()
    return (
        Wanted(
            leg=Leg.LADDER,
            side=Side.BUY if position.quantity > 0 else Side.SELL,
            order_type=OrderType.LIMIT,
            quantity=money.from_lots(state.ladder_lots, step=instrument.lot_step),
            level=money.from_ticks(state.ladder_ticks, tick=instrument.tick_size),
            step=state.ladder_step,
        ),
    )
