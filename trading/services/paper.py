"""The paper venue: working orders meet each closed bar, and what fills is booked like any fill.

The stop and the target of a paper position live in the marks of its deployment, as they do in a
backtest; they become orders of their own at the moment they fill.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from exchanges.adapters.protocol import FillReport
from foundation.transactions import part_of_transaction
from market import money
from market.costs import Costs
from market.enums import Leg, Liquidity, OrderActor, OrderStatus, OrderType, Proof, Side
from market.kernel.records import AT_LIMIT, AT_MARKET, AT_STOP, EXIT_SIGNAL
from market.matching import Bar
from market.orders import RESTING, TERMINAL, KernelFill, KernelOrder
from market.timeframes import Timeframe, from_milliseconds
from strategies.decide import Matched
from strategies.state import PositionState
from trading.domain import keys
from trading.domain.kernel import IntentValues
from trading.models import Deployment, DeploymentPosition, Order, OrderIntent
from trading.selectors import markets
from trading.services import fills, intents, orders

if TYPE_CHECKING:
    from exchanges.models import Instrument

_KINDS: Final = {
    OrderType.MARKET: AT_MARKET,
    OrderType.LIMIT: AT_LIMIT,
    OrderType.STOP_LOSS: AT_STOP,
}


@dataclass(frozen=True, slots=True)
class Matching:
    """What a bar did to the paper orders of a deployment.

    *working* are the rows that met the bar, at most one entry and one exit.
    """

    bar: Bar
    timeframe: Timeframe
    matched: Matched
    working: Sequence[Order]

    @property
    def closed_at(self) -> datetime:
        """When the bar closed."""
        return from_milliseconds(self.timeframe.close_of(self.bar.open_time))


def with_orders(
    state: PositionState,
    *,
    waiting: Mapping[Leg, KernelOrder],
    costs: Costs,
    leverage: float,
) -> PositionState:
    """Return *state* with the entry and the exit that rest, and what the entry may spend."""
    leaves, enters = waiting.get(Leg.EXIT), waiting.get(Leg.ENTRY)
    if leaves is not None:
        state = state._replace(exit_lots=leaves.lots, exit_reason=EXIT_SIGNAL)
    if enters is None:
        return state
    buys = enters.side is Side.BUY
    held = costs.notional(state.lots, state.average_price)
    return state._replace(
        entry_side=1 if buys else -1,
        entry_kind=_KINDS[enters.kind],
        entry_lots=enters.lots,
        entry_ticks=enters.price_ticks,
        # Once what is open is closed, fee included.
        entry_budget=max(state.cash + held, 0.0) * leverage if buys else 0.0,
    )


@part_of_transaction
def book(
    deployment: Deployment,
    *,
    matching: Matching,
    instrument: "Instrument",
    revision_id: int,
    now: datetime,
) -> None:
    """Book what a bar did to the paper orders of a locked *deployment*."""
    by_leg = {Leg(order.leg): order for order in matching.working}
    for number, fill in enumerate(matching.matched.fills):
        order = by_leg.get(fill.leg)
        if order is None:
            order = _attached_order(deployment, fill, matching, instrument, revision_id, now)
        fills.record_fill(
            order,
            report=_report_of(fill, order=order, matching=matching, number=number),
            actor=orders.speaker(order) or OrderActor.VENUE,
            now=now,
        )
    state = matching.matched.state
    left = {Leg.ENTRY: state.entry_side, Leg.EXIT: state.exit_lots}
    for leg, order in by_leg.items():
        if not left.get(leg) and OrderStatus(order.status) not in TERMINAL:
            _cancel(order, {"bar_open_ms": matching.bar.open_time}, now)


@part_of_transaction
def close_at_last_price(
    deployment: Deployment, *, position: DeploymentPosition, key: str, price: Decimal, now: datetime
) -> None:
    """Close a paper position of a locked *deployment* by hand, at *price* with slippage.

    The fill is flagged as manual, so that comparisons with a backtest leave it out.
    """
    instrument = position.instrument
    costs = markets.costs_for(instrument, deployment.account.venue)
    side = Side.SELL if position.quantity > 0 else Side.BUY
    slipped = costs.slipped(money.float_of(price), side)
    ticks = costs.ticks_up(slipped) if side is Side.BUY else max(costs.ticks_down(slipped), 1)
    paid = money.from_ticks(ticks, tick=instrument.tick_size)
    intents.write_exit(deployment, position=position, key=key, reason="MANUAL", now=now)
    intent = OrderIntent.objects.get(deployment=deployment, decision_key=key)
    order = orders.create(intent, quantity=intent.quantity, now=now)
    fee = abs(position.quantity) * paid * deployment.account.venue.taker_fee_bps / 10_000
    report = FillReport(
        venue_trade_id=f"paper-{order.client_order_id}",
        venue_order_id=_venue_id(order),
        symbol=instrument.symbol,
        side=side,
        quantity=order.quantity,
        price=paid,
        fee=money.quantize_money(fee),
        fee_currency=instrument.quote,
        liquidity=Liquidity.TAKER,
        venue_at=now,
    )
    fills.record_fill(order, report=report, actor=OrderActor.SUBMITTER, now=now, is_manual=True)


@part_of_transaction
def cancel_all(deployment: Deployment, *, instrument_id: int, now: datetime, why: str) -> None:
    """Cancel every working paper order of a locked *deployment*, at once."""
    working = Order.objects.select_for_update(of=("self",)).filter(
        deployment=deployment,
        instrument_id=instrument_id,
        status__in=[status.value for status in RESTING],
    )
    for order in working.order_by("pk"):
        order.deployment = deployment
        _cancel(order, {"why": why}, now)


@part_of_transaction
def cancel_opening(deployment: Deployment, *, now: datetime, why: str) -> None:
    """Cancel what rests to open a position of a locked *deployment*, in whatever market."""
    resting = Order.objects.select_for_update(of=("self",)).filter(
        deployment=deployment,
        leg=Leg.ENTRY.value,
        status__in=[status.value for status in RESTING],
    )
    for order in resting.order_by("pk"):
        order.deployment = deployment
        _cancel(order, {"why": why}, now)


@part_of_transaction
def cancel(order: Order, *, now: datetime, why: str) -> None:
    """Cancel a locked paper order that rests, at once."""
    _cancel(order, {"why": why}, now)


def _cancel(order: Order, evidence: dict[str, Any], now: datetime) -> None:
    """End a locked order that rests: here the paper venue's word is ours."""
    orders.move(
        order,
        to=OrderStatus.CANCELED,
        actor=OrderActor.VENUE,
        proof=Proof.VENUE_RECORD,
        now=now,
        evidence={**evidence, "venue_order_id": _venue_id(order)},
    )


def _attached_order(
    deployment: Deployment,
    fill: KernelFill,
    matching: Matching,
    instrument: "Instrument",
    revision_id: int,
    now: datetime,
) -> Order:
    """Return the row of a stop, a target or a ladder's order that has just filled."""
    level = money.from_ticks(fill.price_ticks, tick=instrument.tick_size)
    is_limit = fill.kind is OrderType.LIMIT
    values = IntentValues(
        leg=fill.leg,
        side=fill.side,
        order_type=fill.kind,
        quantity=money.from_lots(fill.lots, step=instrument.lot_step),
        price=level if is_limit else None,
        trigger_price=None if is_limit else level,
        reduce_only=fill.leg is not Leg.LADDER,
        stop_percent=0.0,
        target_percent=0.0,
    )
    key = keys.decision_key(
        revision_id=revision_id,
        instrument_id=instrument.pk,
        bar_close_ms=matching.timeframe.close_of(matching.bar.open_time),
        leg=fill.leg,
        step=fill.step,
    )
    decided = intents.Decided(
        deployment=deployment,
        revision_id=revision_id,
        instrument_id=instrument.pk,
        key=key,
        values=values,
        decided_price=level,
        bar_close_at=matching.closed_at,
        reason=fill.leg.value,
    )
    intents.write([decided], now=now)
    intent = OrderIntent.objects.get(deployment=deployment, decision_key=key)
    return orders.create(intent, quantity=values.quantity, now=now)


def _report_of(fill: KernelFill, *, order: Order, matching: Matching, number: int) -> FillReport:
    instrument = order.instrument
    at_open = from_milliseconds(fill.open_time_ms)
    return FillReport(
        # The same bar books the same trade, however often it is matched.
        venue_trade_id=f"paper-{order.client_order_id}-{fill.open_time_ms}-{number}",
        venue_order_id=_venue_id(order),
        symbol=instrument.symbol,
        side=fill.side,
        quantity=money.from_lots(fill.lots, step=instrument.lot_step),
        price=money.from_ticks(fill.price_ticks, tick=instrument.tick_size),
        fee=money.quantize_money(money.decimal_of(fill.fee)),
        fee_currency=instrument.quote,
        liquidity=fill.liquidity,
        venue_at=at_open if fill.at_open else matching.closed_at,
    )


def _venue_id(order: Order) -> str:
    return order.venue_order_id or f"paper-{order.client_order_id}"
