"""The decision at the close of a bar, and a bar's meeting with a position, for callers in Python.

Both are faces of the compiled functions ``strategies.kernel.decide`` and
``market.kernel.matching.match``, so a step made here gives the same bits as a whole run.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.costs import Costs, costs_record
from market.enums import ExitReason, Leg, Liquidity, OrderType, Side
from market.kernel.records import BAR, FILL, RULES, STATE, TRAY
from market.matching import Bar
from market.orders import KernelFill, KernelOrder
from strategies.reasons import CODES, ReasonCode, number_of
from strategies.rules import Rules, SizingMode
from strategies.signals import SignalRow
from strategies.state import PositionState

__all__ = [
    "ENTERING",
    "BarOfMany",
    "Decision",
    "Matched",
    "decide",
    "fills_of",
    "match_position",
    "orders_decided",
    "preload",
    "rules_record",
]

_LEGS: Final = (Leg.ENTRY, Leg.EXIT, Leg.STOP, Leg.TARGET, Leg.LADDER)
_KINDS: Final = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LOSS)
_EXIT_REASONS: Final = tuple(ExitReason)
_SIZING: Final = tuple(SizingMode)

#: Decisions that open a position.
ENTERING: Final = frozenset({ReasonCode.ENTER_LONG, ReasonCode.ENTER_SHORT, ReasonCode.REVERSE})

#: Fills that compiled code hands over at once.
_FILLS_AT_ONCE: Final = 4_096


class Decision(NamedTuple):
    """What to do after a bar: why, which new orders, and the state that goes on to the next bar.

    ``cancels_bracket`` tells that the stop and target of the position are to be canceled before the
    orders go out, ``cancels_entry`` that an entry which rested is.
    """

    reason: ReasonCode
    orders: tuple[KernelOrder, ...]
    state: PositionState
    cancels_bracket: bool = False
    cancels_entry: bool = False


class Matched(NamedTuple):
    """What a bar did: the state after it and the fills in their order."""

    state: PositionState
    fills: tuple[KernelFill, ...]


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
    exits go on. A reversal is an exit followed by an entry.
    """
    from strategies import kernel  # noqa: PLC0415 - the compiler is for processes that compute

    record = state.to_record()
    number = kernel.decide(
        record[0],
        _signal_record(signal)[0],
        bar_record(bar)[0],
        rules_record(rules)[0],
        costs_record(costs)[0],
        kernel.MAY_ENTER if no_entry is None else number_of(no_entry),
        0.0,
        0.0,
    )
    after = PositionState.of_record(record)
    waited = (state.exit_lots, state.entry_side)
    return _decision(CODES[number], after, waited, bar, rules, costs)


def _decision(
    reason: ReasonCode,
    after: PositionState,
    waited: tuple[int, int],
    bar: Bar,
    rules: Rules,
    costs: Costs,
) -> Decision:
    """Return what a decision comes to; *waited* are lots of the exit and side of the entry before it."""
    exits = after.exit_lots != 0 and waited[0] == 0
    enters = reason in ENTERING
    orders = orders_decided(after, exits=exits, enters=enters, bar=bar, rules=rules, costs=costs)
    cancels_entry = waited[1] != 0 and (enters or after.entry_side == 0)
    return Decision(reason, orders, after, exits, cancels_entry)


def orders_decided(
    after: PositionState, *, exits: bool, enters: bool, bar: Bar, rules: Rules, costs: Costs
) -> tuple[KernelOrder, ...]:
    """Return the orders that a decision at the close of *bar* has put into *after*, the exit first."""
    orders = []
    if exits and (order := after.exit_order()) is not None:
        orders.append(order._replace(reason=ReasonCode.EXIT_SIGNAL.value))
    if enters and (order := after.entry_order()) is not None:
        orders.append(_with_bracket(order, after, bar, rules, costs))
    return tuple(orders)


class BarOfMany:
    """What one bar and the decision at its close have made of many states of one market.

    ``match_position`` and ``decide`` for each of them, by one call of compiled code.
    """

    def __init__(
        self,
        states: Sequence[PositionState],
        *,
        signal: SignalRow,
        bar: Bar,
        rules: Sequence[Rules],
        costs: Costs,
        no_entry: Sequence[ReasonCode | None],
        awaits: Sequence[bool],
    ) -> None:
        from strategies import kernel  # noqa: PLC0415 - as above

        self._bar, self._rules, self._costs = bar, rules, costs
        kinds = {each: place for place, each in enumerate(dict.fromkeys(rules))}
        count = len(states)
        self._records = np.array([tuple(each) for each in states], dtype=STATE)
        self._between = np.zeros((count, 3), dtype=np.int64)
        forbids = [kernel.MAY_ENTER if why is None else number_of(why) for why in no_entry]
        found = np.zeros(_FILLS_AT_ONCE, dtype=FILL)
        owners = np.zeros(_FILLS_AT_ONCE, dtype=np.int64)
        tray = np.zeros(1, dtype=TRAY)
        self._fills: dict[int, list[KernelFill]] = {}
        first = 0
        while first < count:
            filled, first = kernel.step_many(
                self._records,
                first,
                _signal_record(signal)[0],
                bar_record(bar)[0],
                np.concatenate([rules_record(each) for each in kinds]),
                np.array([kinds[each] for each in rules], dtype=np.int64),
                costs_record(costs)[0],
                np.array(forbids, dtype=np.int64),
                np.array(awaits, dtype=np.int64),
                tray[0],
                found,
                owners,
                self._between,
            )
            for owner, fill in zip(owners[:filled].tolist(), fills_of(found[:filled]), strict=True):
                self._fills.setdefault(owner, []).append(fill)

    def fills(self, index: int) -> Sequence[KernelFill]:
        """Return what the bar filled of state *index*, in its order."""
        return self._fills.get(index, ())

    def reason(self, index: int) -> ReasonCode:
        """Return why state *index* acts at the close, or does not."""
        return CODES[int(self._between[index, 2])]

    def rests(self, index: int, leg: Leg) -> bool:
        """Tell whether an exit, or an entry, of state *index* still waited after the bar."""
        return bool(self._between[index, 0 if leg is Leg.EXIT else 1])

    def decision(self, index: int) -> Decision:
        """Return what state *index* does at the close, as ``decide`` does."""
        after = PositionState.of_record(self._records[index : index + 1])
        waited = (int(self._between[index, 0]), int(self._between[index, 1]))
        return _decision(
            self.reason(index), after, waited, self._bar, self._rules[index], self._costs
        )


def match_position(
    state: PositionState, bar: Bar, rules: Rules, costs: Costs, *, kindly: bool = False
) -> Matched:
    """Let *bar* meet the position and what waits for it; see ``market.kernel.matching``."""
    from market.kernel import matching  # noqa: PLC0415 - as above

    record = state.to_record()
    tray = np.zeros(1, dtype=TRAY)
    matching.match(
        record[0],
        bar_record(bar)[0],
        rules_record(rules)[0],
        costs_record(costs)[0],
        0.0,
        kindly,
        tray[0],
    )
    fills = tray[0]["fills"][: tray[0]["count"]]
    return Matched(PositionState.of_record(record), fills_of(fills))


def preload() -> None:
    """Load the compiled functions, so that the first step takes no longer than the others."""
    from market.kernel.compiling import one_compiler  # noqa: PLC0415 - as above

    costs = Costs(0, 0, 0, 0, tick_size=1, lot_step=1, minimum_notional=0)
    rules = Rules(1.0, 1.0, SizingMode.FIXED_BASE, 1.0)
    bar = Bar.at_price(0, 1.0)
    with one_compiler():
        state = decide(
            PositionState.fresh(9.0), SignalRow(enter_long=True), bar, rules, costs
        ).state
        match_position(state, bar, rules, costs)
        BarOfMany(
            [state],
            signal=SignalRow(),
            bar=bar,
            rules=[rules],
            costs=costs,
            no_entry=[None],
            awaits=[False],
        )


def fills_of(fills: NDArray[np.void]) -> tuple[KernelFill, ...]:
    """Return an array of FILL records, shape ``(n,)``, as fills with words."""
    return tuple(
        KernelFill(
            leg=_LEGS[fill["leg"]],
            side=Side.BUY if fill["side"] > 0 else Side.SELL,
            kind=_KINDS[fill["kind"]],
            lots=int(fill["lots"]),
            price_ticks=int(fill["price_ticks"]),
            fee=float(fill["fee"]),
            slippage=float(fill["slippage"]),
            liquidity=Liquidity.MAKER if fill["is_maker"] else Liquidity.TAKER,
            open_time_ms=int(fill["open_time"]),
            at_open=bool(fill["at_open"]),
            reason=_EXIT_REASONS[fill["exit_reason"]].value if fill["exit_reason"] >= 0 else "",
            step=int(fill["step"]),
        )
        for fill in fills
    )


@lru_cache(maxsize=256)
def rules_record(rules: Rules) -> NDArray[np.void]:
    """Return *rules* as the compiled functions take them, an array of shape ``(1,)``."""
    record = np.zeros(1, dtype=RULES)
    partial = rules.partial_targets
    is_percent = rules.sizing in {SizingMode.RISK, SizingMode.NOTIONAL}
    values: dict[str, Any] = {
        "stop": rules.stop_percent / 100,
        "target": rules.target_percent / 100,
        "partial_targets": len(partial),
        "stop_ratchets": rules.stop_ratchet,
        "trail_activation": rules.trail_activation_percent / 100,
        "trail_offset": rules.trail_offset_percent / 100,
        "anchor_has_fees": rules.anchor_includes_fees,
        "sizing": _SIZING.index(rules.sizing),
        "size": rules.size / 100 if is_percent else rules.size,
        "compounds": rules.compounding,
        "capital_parts": rules.max_open_positions if rules.splits_capital else 0,
        "may_go_long": rules.may_go_long,
        "may_go_short": rules.may_go_short,
        "leverage": rules.leverage,
        "cooldown_ms": rules.cooldown_ms,
        "max_trades_per_day": rules.max_trades_per_day,
        "max_trades": rules.max_trades,
        "max_hold_ms": rules.max_hold_ms,
        "exit_after_bars": rules.exit_after_bars,
        "exit_needs_arming": rules.exit_needs_arming,
        "reverses": rules.allows_reversal,
        "max_open_positions": rules.max_open_positions,
    }
    for number, target in enumerate(partial, start=1):
        values[f"target_{number}"] = target.percent / 100
        values[f"target_{number}_part"] = target.fraction_percent / 100
    if rules.ladder is not None:
        values["ladder_steps"] = rules.ladder.steps
        values["ladder_deviation"] = rules.ladder.deviation_percent / 100
        values["ladder_quote"] = rules.ladder.quote
        values["ladder_scale"] = rules.ladder.scale
    for name, value in values.items():
        record[name] = value
    return record


def bar_record(bar: Bar) -> NDArray[np.void]:
    """Return *bar* as the compiled functions take it, without funding; shape ``(1,)``."""
    return np.array(
        [(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.funding_rate)], dtype=BAR
    )


def _signal_record(signal: SignalRow) -> NDArray[np.void]:
    from strategies import kernel  # noqa: PLC0415 - as above

    bits = (
        (signal.enter_long, kernel.ENTER_LONG),
        (signal.enter_short, kernel.ENTER_SHORT),
        (signal.exit_long, kernel.EXIT_LONG),
        (signal.exit_short, kernel.EXIT_SHORT),
        (signal.flatten, kernel.FLATTEN),
        (not signal.ready, kernel.NOT_READY),
        (signal.arm_exit, kernel.ARM_EXIT),
    )
    says = sum(bit for said, bit in bits if said)
    values = (
        says,
        signal.entry_kind,
        signal.entry_price,
        signal.entry_bars,
        signal.stop_price,
        signal.target_price,
        signal.session,
    )
    return np.array([values], dtype=kernel.SIGNAL)


def _with_bracket(
    order: KernelOrder, state: PositionState, bar: Bar, rules: Rules, costs: Costs
) -> KernelOrder:
    """Return *order* with what protects it in percent of its price, as venues' orders carry it."""
    price = costs.price_of(order.price_ticks) if order.price_ticks else bar.close

    def percent(asked_ticks: int, ruled: float) -> float:
        if not asked_ticks:
            return ruled
        return abs(costs.price_of(asked_ticks) - price) / price * 100

    buys = order.side is Side.BUY
    return order._replace(
        stop_percent=percent(state.entry_stop_ticks, rules.stop_percent),
        target_percent=percent(state.entry_target_ticks, rules.target_percent),
        reason=(ReasonCode.ENTER_LONG if buys else ReasonCode.ENTER_SHORT).value,
    )
