"""What protects an open position, worked out anew from what has filled.

Levels and sizes are those of the compiled kernel, so a position that real fills have made is
protected as the same fills would be in a backtest. Nothing here remembers: whoever asks twice gets
the same answer twice, which is what makes it safe to ask after every event and after a crash.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.costs import STEP_SLACK, Costs, costs_record
from market.enums import Side
from strategies.decide import rules_record
from strategies.rules import Ladder, PartialTarget, Rules, SizingMode
from strategies.state import PositionState

#: A stop that follows the price is moved at the venue only by at least this part of the price.
LEAST_MOVE: Final = 0.0005


@dataclass(frozen=True, slots=True)
class TradeFacts:
    """What rows tell of a trade beside its position.

    Parameters
    ----------
    base_price
        What the entry itself was filled at on average (quote), without the ladder.
    fee_per_unit
        Fees of what was bought (or sold short) per base unit, in quote.
    asked_stop_ticks, asked_target_ticks
        Levels that the signal asked for instead of the rules' own, 0 for none.
    targets_done
        How many targets have been reached.
    target_left
        Lots that are left of the next target, if it has begun to fill; 0 otherwise.
    rungs_done
        How many orders of the ladder have filled to their end.
    has_rungs
        Whether the ladder has added anything.
    is_built
        Whether the ladder may add nothing more.
    """

    base_price: float
    fee_per_unit: float = 0.0
    asked_stop_ticks: int = 0
    asked_target_ticks: int = 0
    targets_done: int = 0
    target_left: int = 0
    rungs_done: int = 0
    has_rungs: bool = False
    is_built: bool = False


class TargetLevel(NamedTuple):
    """One target: its number from 0, its price and how much it closes; 0 lots are too few to sell."""

    step: int
    ticks: int
    lots: int


class Bracket(NamedTuple):
    """What protects a position: its ``state`` with stop and ladder in it, and targets, nearest first."""

    state: PositionState
    targets: tuple[TargetLevel, ...]


def bracket_of(state: PositionState, facts: TradeFacts, rules: Rules, costs: Costs) -> Bracket:
    """Return what protects the open position of *state*.

    *state* holds position and cash as rows have them, and the mark of the trail. The stop is the
    tightest of the rules' (or the one asked for), of what the targets reached have moved it to, and
    of the trail: it gives way only when the ladder moves the average.
    """
    from market.kernel import levels  # noqa: PLC0415 - the compiler is for processes that compute

    record = _record_of(state, facts, costs)
    s, ruled, cost = record[0], rules_record(rules)[0], costs_record(costs)[0]
    anchor = float(levels.anchor(s, ruled, cost))
    done = int(s["targets_done"])
    s["first_target_ticks"] = _first_target(record, ruled, cost, anchor) if done else 0
    s["stop_ticks"], s["stop_trails"] = _stop(s, facts, rules, costs, anchor)
    s["target_ticks"] = levels.next_target(s, anchor, ruled, cost)
    _next_rung(s, facts, rules, costs)
    return Bracket(
        PositionState.of_record(record),
        tuple(_targets(record, facts, rules, costs, anchor)),
    )


def preload() -> None:
    """Load the compiled functions, so that the first position is protected as soon as the others."""
    from market.kernel.compiling import one_compiler  # noqa: PLC0415 - as above

    costs = Costs(0, 0, 0, 0, tick_size=1, lot_step=1, minimum_notional=0)
    rules = Rules(
        1.0,
        9.0,
        SizingMode.FIXED_BASE,
        1.0,
        partial_targets=(PartialTarget(5.0, 50.0),),
        ladder=Ladder(1, 1.0, 100.0),
    )
    state = PositionState.fresh(900.0)._replace(lots=2, average_price=100.0)
    with one_compiler():
        is_reached(105, best=105.0, lots=2, costs=costs)
        bracket_of(state, TradeFacts(base_price=100.0), rules, costs)


def asked_ticks(
    percent: float, ruled: float, *, price: float, side: Side, is_stop: bool, costs: Costs
) -> int:
    """Return the level that *percent* of *price* stands for, 0 if it is just what the rules say.

    Orders carry what the signal asked for as a distance; the level it was made of lay on a tick.
    """
    if percent == ruled or percent <= 0:
        return 0
    below = (side is Side.BUY) == is_stop
    level = price * (1 - percent / 100) if below else price * (1 + percent / 100)
    return max(round(level / costs.tick_size), 0)


def is_moved(resting: float, wanted: float, *, trails: bool) -> bool:
    """Tell whether a stop that rests at *resting* is to be moved to *wanted*.

    One that trails is left where it is until it has moved by ``LEAST_MOVE``: each move costs two calls.
    """
    least = abs(resting) * LEAST_MOVE if trails else 0.0
    return abs(wanted - resting) > least


def is_reached(ticks: int, *, best: float, lots: int, costs: Costs) -> bool:
    """Tell whether a price has gone as far as *best* for a position and so reached a target."""
    from market.kernel import levels  # noqa: PLC0415 - as above

    return bool(levels.reached(-1 if lots > 0 else 1, best / costs.tick_size, ticks))


def without_protection(state: PositionState) -> PositionState:
    """Return *state* without what belonged to a position that is closed: stop, targets, ladder."""
    return state._replace(
        stop_ticks=0,
        stop_trails=0,
        target_ticks=0,
        targets_done=0,
        last_target_ticks=0,
        first_target_ticks=0,
        trail_mark=0.0,
        ladder_base=0.0,
        ladder_step=0,
        ladder_ticks=0,
        ladder_lots=0,
    )


def _record_of(state: PositionState, facts: TradeFacts, costs: Costs) -> NDArray[np.void]:
    """Return the kernel's record of a position as it was when it had all that the facts tell."""
    return state._replace(
        entry_fees=facts.fee_per_unit * abs(state.lots) * costs.lot_step,
        targets_done=max(state.targets_done, facts.targets_done),
        last_target_ticks=facts.asked_target_ticks,
        ladder_base=facts.base_price,
        ladder_step=facts.rungs_done,
    ).to_record()


def _stop(
    s: np.void, facts: TradeFacts, rules: Rules, costs: Costs, anchor: float
) -> tuple[int, int]:
    """Return the level of the stop and whether it is the trail's."""
    from market.kernel import levels  # noqa: PLC0415 - as above

    sign = 1 if s["lots"] > 0 else -1
    inner = costs.ticks_down if sign > 0 else costs.ticks_up
    stop = facts.asked_stop_ticks
    if rules.stop_percent > 0 and (not stop or facts.has_rungs):
        cost = costs_record(costs)[0]
        stop = int(levels.stop_level(anchor, sign, rules.stop_percent / 100, cost))
    trails = 0

    def tighten(ticks: int) -> bool:
        return ticks > 0 and (stop == 0 or sign * ticks > sign * stop)

    if rules.stop_ratchet and s["targets_done"]:
        reached = int(s["targets_done"])
        moved = inner(anchor) if reached == 1 else int(s["first_target_ticks"])
        stop = moved if tighten(moved) else stop
    if rules.trail_offset_percent > 0 and s["trail_mark"]:
        moved = inner(float(s["trail_mark"]) * (1 - sign * (rules.trail_offset_percent / 100)))
        stop, trails = (moved, 1) if tighten(moved) else (stop, 0)
    return stop, trails


def _first_target(record: NDArray[np.void], ruled: np.void, cost: np.void, anchor: float) -> int:
    from market.kernel import levels  # noqa: PLC0415 - as above

    first = record.copy()
    first[0]["targets_done"] = 0
    return int(levels.next_target(first[0], anchor, ruled, cost))


def _next_rung(s: np.void, facts: TradeFacts, rules: Rules, costs: Costs) -> None:
    """Put the next order of the ladder into *s*, as far as the wallet pays for it; or none."""
    from market.kernel import levels  # noqa: PLC0415 - as above

    s["ladder_ticks"] = s["ladder_lots"] = 0
    if rules.ladder is None or facts.is_built or s["targets_done"]:
        return
    levels.next_ladder(s, rules_record(rules)[0], costs_record(costs)[0])
    ticks, lots = int(s["ladder_ticks"]), int(s["ladder_lots"])
    sign = 1 if s["lots"] > 0 else -1
    if s["stop_ticks"] and sign * ticks <= sign * int(s["stop_ticks"]):
        # The stop comes first; what lies behind it would open a new position.
        lots = 0
    price = costs.price_of(ticks) if ticks else 0.0
    if ticks:
        held = float(s["lots"]) * costs.lot_step
        equity = float(s["cash"]) + held * price
        free = equity * rules.leverage - abs(held) * price
        lots = min(lots, costs.lots_down(free / (price * (1 + costs.maker_rate))))
    if lots < max(costs.minimum_lots, 1):
        ticks = lots = 0
    s["ladder_ticks"], s["ladder_lots"] = ticks, lots


def _targets(
    record: NDArray[np.void], facts: TradeFacts, rules: Rules, costs: Costs, anchor: float
) -> Iterator[TargetLevel]:
    """Yield the targets that are left, each with its part of what those before it leave."""
    from market.kernel import levels  # noqa: PLC0415 - as above

    left = record.copy()
    s, ruled, cost = left[0], rules_record(rules)[0], costs_record(costs)[0]
    begun = facts.target_left
    while s["lots"] != 0:
        ticks = int(levels.next_target(s, anchor, ruled, cost))
        step = int(s["targets_done"])
        is_last = step >= len(rules.partial_targets)
        if not ticks:
            return
        held = int(s["lots"])
        lots = abs(held) if is_last else _slice(abs(held), step, ticks, rules, costs)
        if begun and not is_last:
            lots, begun = min(begun, abs(held)), 0
        yield TargetLevel(step, ticks, lots)
        s["lots"] = held - lots if held > 0 else held + lots
        s["targets_done"] = step + 1
        if is_last:
            return


def _slice(held: int, step: int, ticks: int, rules: Rules, costs: Costs) -> int:
    """Return how many of *held* lots a partial target sells, as the kernel cuts it."""
    share = held * (rules.partial_targets[step].fraction_percent / 100)
    lots = int(share + share * STEP_SLACK)
    price = costs.price_of(ticks)

    def is_too_few(count: int) -> bool:
        return count < costs.minimum_lots or (costs.notional(count, price) < costs.minimum_notional)

    if is_too_few(held - lots):
        return held
    return 0 if is_too_few(lots) else lots
