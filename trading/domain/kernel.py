"""Between rows and the kernel: rules and marks as JSON, positions as kernel state and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, localcontext
from typing import Any

from market import money
from market.costs import Costs
from market.enums import Leg, OrderType, Side
from market.matching import Bar
from market.orders import KernelOrder
from market.positions import Position
from strategies.reasons import ReasonCode
from strategies.rules import Ladder, PartialTarget, Rules, SizingMode, TradeDirection
from strategies.signals import SignalRow
from strategies.state import PositionState
from trading.domain import sizing
from trading.domain.sizing import TradingSteps


@dataclass(frozen=True, slots=True)
class IntentValues:
    """What an order of the kernel is in decimals: base units and quote currency."""

    leg: Leg
    side: Side
    order_type: OrderType
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    stop_percent: float
    target_percent: float


def rules_to_json(rules: Rules) -> dict[str, Any]:
    """Return *rules* as plain values."""
    return {name: getattr(value, "value", value) for name, value in asdict(rules).items()}


def rules_from_json(data: Mapping[str, Any]) -> Rules:
    """Read what ``rules_to_json`` wrote."""
    words = {
        "sizing": SizingMode(data["sizing"]),
        "direction": TradeDirection(data["direction"]),
    }
    ladder = data.get("ladder")
    nested = {
        "partial_targets": tuple(PartialTarget(**each) for each in data.get("partial_targets", ())),
        "ladder": None if ladder is None else Ladder(**ladder),
    }
    return Rules(**{**data, **words, **nested})


def as_decided(rules: Rules, *, stop_percent: float, target_percent: float) -> Rules:
    """Return *rules* without the stop or the target that an entry was decided without."""
    stop = rules.stop_percent if stop_percent else 0.0
    target = rules.target_percent if target_percent else 0.0
    if (stop, target) == (rules.stop_percent, rules.target_percent):
        return rules
    # Sizing by risk needs a stop; what is open has been sized already.
    return replace(
        rules,
        stop_percent=stop,
        target_percent=target,
        sizing=SizingMode.NOTIONAL if not stop else rules.sizing,
    )


def to_intent_values(order: KernelOrder, *, steps: TradingSteps) -> IntentValues:
    """Return *order* of the kernel in decimals, exactly."""
    level = money.from_ticks(order.price_ticks, tick=steps.tick_size) if order.price_ticks else None
    limit = money.from_ticks(order.limit_ticks, tick=steps.tick_size) if order.limit_ticks else None
    is_limit = order.kind is OrderType.LIMIT
    return IntentValues(
        leg=order.leg,
        side=order.side,
        order_type=order.kind,
        quantity=money.from_lots(order.lots, step=steps.lot_step),
        price=level if is_limit else limit,
        trigger_price=None if is_limit else level,
        reduce_only=order.reduce_only,
        stop_percent=order.stop_percent,
        target_percent=order.target_percent,
    )


def to_kernel_order(values: IntentValues, *, steps: TradingSteps) -> KernelOrder:
    """Return *values* as an order of the kernel; the inverse of ``to_intent_values``."""
    is_limit = values.order_type is OrderType.LIMIT
    level = values.price if is_limit else values.trigger_price
    limit = None if is_limit else values.price
    return KernelOrder(
        leg=values.leg,
        side=values.side,
        kind=values.order_type,
        lots=money.to_lots(values.quantity, step=steps.lot_step),
        price_ticks=0 if level is None else money.to_ticks(level, tick=steps.tick_size),
        limit_ticks=0 if limit is None else money.to_ticks(limit, tick=steps.tick_size),
        reduce_only=values.reduce_only,
        stop_percent=values.stop_percent,
        target_percent=values.target_percent,
    )


def state_of(
    position: Position,
    *,
    capital: Decimal,
    marks: Mapping[str, Any],
    awaits_venue: bool,
    price: Decimal,
    steps: TradingSteps,
) -> PositionState:
    """Return what real fills have made as the state that the next decision starts from.

    What is too little to be sold at *price* counts as nothing: it is dust.
    """
    lots = 0
    if sizing.is_closable(position.quantity, price=price, steps=steps):
        lots = money.to_lots(position.quantity, step=steps.lot_step)
    with localcontext(money.WIDE):
        held = money.from_lots(lots, step=steps.lot_step) * position.average_price
        cash = capital + position.net_realized_pnl - held
    return PositionState.of_position(
        lots=lots,
        average_price=money.float_of(position.average_price) if lots else 0.0,
        cash=money.float_of(cash),
        capital=money.float_of(capital),
        memory=marks,
        awaits_venue=awaits_venue,
    )


def watched_exit(
    bar: Bar, *, lots: int, stop: float, target: float, stop_rests: bool
) -> ReasonCode | None:
    """Return why a position is to be closed because of the levels that *bar* reached, if it is.

    The target is watched here, at closed bars. The stop rests at the venue; only if it does not
    (*stop_rests* is False) it is watched as well, and goes first. A level of 0 is none.
    """
    if not lots:
        return None
    worst, best = (bar.low, bar.high) if lots > 0 else (bar.high, bar.low)
    sign = 1 if lots > 0 else -1
    if stop and not stop_rests and sign * worst <= sign * stop:
        return ReasonCode.STOP_HIT
    if target and sign * best >= sign * target:
        return ReasonCode.TARGET_HIT
    return None


def touches_stop(bar: Bar, *, lots: int, stop: float) -> bool:
    """Tell whether *bar* reached the level of a stop that rests at the venue."""
    if not lots or not stop:
        return False
    return bar.low <= stop if lots > 0 else bar.high >= stop


def closing_order(state: PositionState, *, leg: Leg, reason: ReasonCode) -> KernelOrder:
    """Return the market order that closes the position of *state*."""
    return KernelOrder(
        leg,
        Side.SELL if state.lots > 0 else Side.BUY,
        OrderType.MARKET,
        abs(state.lots),
        reduce_only=True,
        reason=reason.value,
    )


def group_reason(signal: SignalRow, *, short_allowed: bool) -> ReasonCode:
    """Return what the strategy says to someone who holds nothing."""
    if not signal.ready:
        return ReasonCode.WARMING_UP
    if signal.enter_long == signal.enter_short:
        return ReasonCode.NO_SIGNAL
    if signal.enter_long:
        return ReasonCode.ENTER_LONG
    return ReasonCode.ENTER_SHORT if short_allowed else ReasonCode.SHORT_NOT_ALLOWED


def costs_of(
    *,
    steps: TradingSteps,
    maker_fee_bps: Decimal,
    taker_fee_bps: Decimal,
    slippage_bps: Decimal,
    spread_bps: Decimal,
) -> Costs:
    """Return the frictions of an instrument as the kernel calculates with them."""
    return Costs.from_decimals(
        maker_fee_bps=maker_fee_bps,
        taker_fee_bps=taker_fee_bps,
        slippage_bps=slippage_bps,
        spread_bps=spread_bps,
        tick_size=steps.tick_size,
        lot_step=steps.lot_step,
        minimum_notional=steps.minimum_notional,
        minimum_quantity=steps.minimum_quantity,
    )
