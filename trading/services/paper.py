"""The paper venue: working orders meet each closed bar, and what fills is booked like any fill.

The stop and the target of a paper position live in the marks of its deployment, as they do in a
backtest; they become orders of their own at the moment they fill.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exchanges.adapters.protocol import FillReport
from foundation.transactions import part_of_transaction
from market import money
from market.costs import Costs
from market.enums import Leg, Liquidity, OrderStatus, OrderType, Side
from market.matching import Bar, MatchResult
from market.orders import TERMINAL, KernelFill, KernelOrder
from market.timeframes import Timeframe, from_milliseconds
from strategies.state import PositionState
from trading.domain import keys
from trading.domain.kernel import IntentValues
from trading.models import Deployment, DeploymentPosition, Order, OrderIntent
from trading.selectors import markets
from trading.services import fills, intents, orders

if TYPE_CHECKING:
    from exchanges.models import Instrument

_ACTOR: Final = "paper"
_BRACKET: Final = frozenset({Leg.STOP, Leg.TARGET})


@dataclass(frozen=True, slots=True)
class Matching:
    """What a bar did to the paper orders of a deployment.

    *working* are the rows that met the bar; the key of a kernel order is the id of its row.
    """

    bar: Bar
    timeframe: Timeframe
    matched: MatchResult
    working: Sequence[Order]

    @property
    def closed_at(self) -> datetime:
        """When the bar closed."""
        return from_milliseconds(self.timeframe.close_of(self.bar.open_time))


def resting_bracket(state: PositionState) -> tuple[KernelOrder, ...]:
    """Return the stop and the target that the marks of *state* describe."""
    if not state.lots:
        return ()
    side = Side.SELL if state.lots > 0 else Side.BUY
    levels = (
        (Leg.STOP, OrderType.STOP_LOSS, state.marks.stop_ticks),
        (Leg.TARGET, OrderType.LIMIT, state.marks.target_ticks),
    )
    return tuple(
        KernelOrder(leg, side, kind, abs(state.lots), ticks, reduce_only=True, reason=leg.value)
        for leg, kind, ticks in levels
        if ticks
    )


def budget_of(state: PositionState, *, costs: Costs, leverage: float) -> float:
    """Return what an entry may spend once what is open is closed, fee included."""
    held = costs.notional(state.lots, state.average_price)
    return max(state.cash + held, 0.0) * leverage


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
    by_key = {str(order.pk): order for order in matching.working}
    for number, fill in enumerate(matching.matched.fills):
        if fill.leg in _BRACKET:
            order = _bracket_order(deployment, fill, matching, instrument, revision_id, now)
        else:
            order = by_key[fill.key]
        fills.record_fill(
            order,
            report=_report_of(fill, order=order, matching=matching, number=number),
            actor=_ACTOR,
            now=now,
        )
    left = {order.key for order in matching.matched.working if order.leg not in _BRACKET}
    for key, order in by_key.items():
        if key not in left and OrderStatus(order.status) not in TERMINAL:
            evidence = {"bar_open_ms": matching.bar.open_time}
            orders.move(order, to=OrderStatus.CANCELED, actor=_ACTOR, now=now, evidence=evidence)


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
    order = orders.create(intent, quantity=intent.quantity, actor=_ACTOR, now=now)
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
    fills.record_fill(order, report=report, actor=_ACTOR, now=now, is_manual=True)


@part_of_transaction
def cancel_all(deployment: Deployment, *, instrument_id: int, now: datetime, why: str) -> None:
    """Cancel every working paper order of a locked *deployment*, at once."""
    working = Order.objects.select_for_update(of=("self",)).filter(
        deployment=deployment,
        instrument_id=instrument_id,
        status__in=[OrderStatus.ACCEPTED.value, OrderStatus.PARTIALLY_FILLED.value],
    )
    for order in working.order_by("pk"):
        order.deployment = deployment
        orders.move(order, to=OrderStatus.CANCELED, actor=_ACTOR, now=now, evidence={"why": why})


def _bracket_order(
    deployment: Deployment,
    fill: KernelFill,
    matching: Matching,
    instrument: "Instrument",
    revision_id: int,
    now: datetime,
) -> Order:
    """Return the row of a stop or target that has just filled."""
    level = money.from_ticks(fill.price_ticks, tick=instrument.tick_size)
    is_limit = fill.kind is OrderType.LIMIT
    values = IntentValues(
        leg=fill.leg,
        side=fill.side,
        order_type=fill.kind,
        quantity=money.from_lots(fill.lots, step=instrument.lot_step),
        price=level if is_limit else None,
        trigger_price=None if is_limit else level,
        reduce_only=True,
        stop_percent=0.0,
        target_percent=0.0,
    )
    key = keys.decision_key(
        revision_id=revision_id,
        instrument_id=instrument.pk,
        bar_close_ms=matching.timeframe.close_of(matching.bar.open_time),
        leg=fill.leg,
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
    return orders.create(intent, quantity=values.quantity, actor=_ACTOR, now=now)


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
