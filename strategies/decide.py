"""The decision at the close of a bar: the same function for backtest, paper and live trading.

Pure and causal: it sees the state, the signal and the bar, nothing later. Backtests and paper
trading follow it with ``market.matching``; live trading puts real fills in the place of matching.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from market.costs import Costs
from market.enums import Leg, OrderType, Side
from market.matching import Bar, MatchResult
from market.orders import KernelFill, KernelOrder
from market.timeframes import DAY_MS
from strategies.reasons import ReasonCode
from strategies.rules import Rules, SizingMode
from strategies.signals import SignalRow
from strategies.state import Marks, PositionState

__all__ = ["Decision", "ReasonCode", "after_match", "apply_fills", "decide", "size_entry"]

_PROTECTIVE: Final = frozenset({Leg.STOP, Leg.TARGET})


class Decision(NamedTuple):
    """What to do after a bar: why, which new orders, and the state that goes on to the next bar.

    ``cancels_bracket`` tells that the stop and target of the position are to be canceled before the
    orders go out.
    """

    reason: ReasonCode
    orders: tuple[KernelOrder, ...]
    state: PositionState
    cancels_bracket: bool = False


def decide(
    state: PositionState,
    signal: SignalRow,
    bar: Bar,
    rules: Rules,
    costs: Costs,
    *,
    no_entry: ReasonCode | None = None,
) -> Decision:
    """Decide at the close of *bar*.

    *no_entry* forbids opening a position and is the reason given when one would have been opened;
    exits go on. Orders in the result are market orders for the next bar's open; a reversal is an
    exit followed by an entry.
    """
    marks = _noticed(state, bar, rules)
    if marks is not state.marks:
        state = state._replace(marks=marks)
    if any(order.leg not in _PROTECTIVE for order in state.working):
        return Decision(ReasonCode.ORDER_PENDING, (), state)
    if state.lots:
        return _in_position(state, signal, bar, rules, costs, no_entry)
    return _flat(state, signal, bar, rules, costs, no_entry)


def apply_fills(state: PositionState, fills: Iterable[KernelFill], costs: Costs) -> PositionState:
    """Return *state* with the position and cash that *fills* leave, its orders untouched."""
    lots, average, cash = state.lots, state.average_price, state.cash
    for fill in fills:
        price = costs.price_of(fill.price_ticks)
        signed = fill.lots if fill.side is Side.BUY else -fill.lots
        cash -= costs.notional(signed, price) + fill.fee
        after = lots + signed
        if lots * signed >= 0:
            average = (lots * average + signed * price) / after
        elif after == 0:
            average = 0.0
        elif (after > 0) != (lots > 0):
            average = price
        lots = after
    return state._replace(lots=lots, average_price=average, cash=cash)


def after_match(state: PositionState, matched: MatchResult, costs: Costs) -> PositionState:
    """Return *state* after a bar has met its orders: fills booked, protective levels noted."""
    if matched.fills:
        state = apply_fills(state, matched.fills, costs)
    levels = {order.leg: order.price_ticks for order in matched.working}
    stop, target = levels.get(Leg.STOP, 0), levels.get(Leg.TARGET, 0)
    marks = state.marks
    if (stop, target) != (marks.stop_ticks, marks.target_ticks):
        marks = marks._replace(stop_ticks=stop, target_ticks=target)
    return state._replace(working=matched.working, marks=marks)


def size_entry(
    state: PositionState, side: Side, bar: Bar, rules: Rules, costs: Costs
) -> tuple[int, ReasonCode | None]:
    """Return the lots of an entry decided at the close of *bar*, or 0 and why there is none.

    Any open position counts as closed at the bar's close first. The size never costs more than the
    equity times leverage, fee and slippage included.
    """
    price = bar.close
    available = _equity_after_closing(state, price, costs) * rules.leverage
    if available <= 0:
        return 0, ReasonCode.NO_CAPITAL
    wanted = costs.lots_down(_wanted_quantity(state, available, price, rules))
    worst = costs.slipped(price, Side.BUY) if side is Side.BUY else price
    affordable = costs.lots_down(available / (worst * (1 + costs.taker_rate)))
    lots = min(wanted, affordable)
    if lots >= costs.minimum_lots and costs.notional(lots, price) >= costs.minimum_notional:
        return lots, None
    return 0, ReasonCode.BELOW_MINIMUM if wanted <= affordable else ReasonCode.NO_CAPITAL


def _noticed(state: PositionState, bar: Bar, rules: Rules) -> Marks:
    """Return the marks with what has happened since the last decision."""
    marks = state.marks
    if state.lots == marks.seen_lots:
        return marks
    if rules.cooldown_ms and marks.seen_lots and not state.lots:
        marks = marks._replace(cooldown_until_ms=bar.open_time + rules.cooldown_ms)
    return marks._replace(seen_lots=state.lots)


def _in_position(
    state: PositionState,
    signal: SignalRow,
    bar: Bar,
    rules: Rules,
    costs: Costs,
    no_entry: ReasonCode | None,
) -> Decision:
    is_long = state.lots > 0
    if not (signal.exit_long if is_long else signal.exit_short):
        return Decision(ReasonCode.HOLD, (), state)
    side = Side.SELL if is_long else Side.BUY
    close = KernelOrder(
        Leg.EXIT,
        side,
        OrderType.MARKET,
        abs(state.lots),
        reduce_only=True,
        reason=ReasonCode.EXIT_SIGNAL.value,
    )
    may_reverse = not rules.cooldown_ms and (signal.enter_short if is_long else signal.enter_long)
    if may_reverse and _refusal(side, state.marks, bar, rules, no_entry) is None:
        lots, refused = size_entry(state, side, bar, rules, costs)
        if refused is None:
            entry = _entry(state, side, lots, bar, rules, costs)
            orders = (close, entry)
            marks = _counted(state.marks, bar)
            left = state._replace(working=orders, marks=marks)
            return Decision(ReasonCode.REVERSE, orders, left, cancels_bracket=True)
    left = state._replace(working=(close,))
    return Decision(ReasonCode.EXIT_SIGNAL, (close,), left, cancels_bracket=True)


def _flat(
    state: PositionState,
    signal: SignalRow,
    bar: Bar,
    rules: Rules,
    costs: Costs,
    no_entry: ReasonCode | None,
) -> Decision:
    if not signal.ready:
        return Decision(ReasonCode.WARMING_UP, (), state)
    if signal.enter_long == signal.enter_short:
        # Neither, or a contradiction, which is no signal either.
        return Decision(ReasonCode.NO_SIGNAL, (), state)
    side = Side.BUY if signal.enter_long else Side.SELL
    refused = _refusal(side, state.marks, bar, rules, no_entry)
    lots = 0
    if refused is None:
        lots, refused = size_entry(state, side, bar, rules, costs)
    if refused is not None:
        return Decision(refused, (), state)
    orders = (_entry(state, side, lots, bar, rules, costs),)
    reason = ReasonCode.ENTER_LONG if side is Side.BUY else ReasonCode.ENTER_SHORT
    marks = _counted(state.marks, bar)
    return Decision(reason, orders, state._replace(working=orders, marks=marks))


def _refusal(
    side: Side, marks: Marks, bar: Bar, rules: Rules, no_entry: ReasonCode | None
) -> ReasonCode | None:
    """Return why an entry on *side* is not made; None if it may be."""
    if side is Side.BUY and not rules.may_go_long:
        return ReasonCode.LONG_NOT_ALLOWED
    if side is Side.SELL and not rules.may_go_short:
        return ReasonCode.SHORT_NOT_ALLOWED
    if no_entry is not None:
        return no_entry
    if bar.open_time < marks.cooldown_until_ms:
        return ReasonCode.COOLDOWN
    same_day = marks.day_ms == _day_of(bar)
    if rules.max_trades_per_day and same_day and marks.trades_of_day >= rules.max_trades_per_day:
        return ReasonCode.DAILY_LIMIT
    return None


def _entry(
    state: PositionState, side: Side, lots: int, bar: Bar, rules: Rules, costs: Costs
) -> KernelOrder:
    buys = side is Side.BUY
    available = _equity_after_closing(state, bar.close, costs) * rules.leverage
    return KernelOrder(
        Leg.ENTRY,
        side,
        OrderType.MARKET,
        lots,
        stop_percent=rules.stop_percent,
        target_percent=rules.target_percent,
        # The next open may be dearer than this close; a buyer still cannot spend more than there
        # is.
        budget=available if buys else 0.0,
        reason=(ReasonCode.ENTER_LONG if buys else ReasonCode.ENTER_SHORT).value,
    )


def _wanted_quantity(state: PositionState, available: float, price: float, rules: Rules) -> float:
    capital = available / rules.leverage if rules.compounding else state.capital
    match rules.sizing:
        case SizingMode.RISK:
            return capital * rules.size / 100 / (price * rules.stop_percent / 100)
        case SizingMode.NOTIONAL:
            return capital * rules.size / 100 / price
        case SizingMode.FIXED_BASE:
            return rules.size
        case SizingMode.FIXED_QUOTE:
            return rules.size / price


def _equity_after_closing(state: PositionState, price: float, costs: Costs) -> float:
    if not state.lots:
        return state.cash
    out = costs.slipped(price, Side.SELL if state.lots > 0 else Side.BUY)
    worth = costs.notional(state.lots, out)
    return state.cash + worth - abs(worth) * costs.taker_rate


def _counted(marks: Marks, bar: Bar) -> Marks:
    """Return the marks with one more entry in the day of *bar*."""
    day = _day_of(bar)
    count = marks.trades_of_day + 1 if marks.day_ms == day else 1
    return marks._replace(day_ms=day, trades_of_day=count)


def _day_of(bar: Bar) -> int:
    return bar.open_time - bar.open_time % DAY_MS
