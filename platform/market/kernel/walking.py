"""The price on its way through a bar: entries, ladder, stop and targets that it reaches fill."""

from market.costs import STEP_SLACK
from market.kernel.arithmetic import lots_down, made_ticks, taken_ticks, ticks_down, ticks_up
from market.kernel.booking import book, forget_entry
from market.kernel.compiling import compiled
from market.kernel.levels import (
    anchor,
    liquidation_ticks,
    next_ladder,
    next_target,
    reached,
    stop_level,
)
from market.kernel.records import (
    AT_LIMIT,
    AT_STOP,
    EXIT_LIQUIDATION,
    EXIT_STOP,
    EXIT_TARGET,
    EXIT_TRAIL,
    LEG_ENTRY,
    LEG_LADDER,
    LEG_STOP,
    LEG_TARGET,
)

# mypy: disable-error-code="no-untyped-def"


@compiled
def enter(s, bar, rules, costs, reference, at_open, tray):
    """Fill the entry of *s* near *reference* as far as its budget goes, and protect what it got."""
    side, lots = s.entry_side, s.entry_lots
    if s.entry_kind == AT_LIMIT:
        ticks, rate = made_ticks(reference, side, s.entry_ticks, costs), costs.maker_rate
    else:
        ticks, rate = taken_ticks(reference, side, costs), costs.taker_rate
    price = ticks * costs.tick_size
    if s.entry_budget > 0.0:
        lots = min(lots, lots_down(s.entry_budget / (price * (1 + rate)), costs))
    kind, asked_stop, asked_target = s.entry_kind, s.entry_stop_ticks, s.entry_target_ticks
    forget_entry(s)
    if lots <= 0:
        s.trades -= 1
        s.trades_of_day -= 1
        return
    book(s, bar, costs, side, lots, ticks, reference, LEG_ENTRY, kind, at_open, -1, tray)
    sign = 1 if s.lots > 0 else -1
    level = anchor(s, rules, costs)
    s.targets_done = 0
    s.last_target_ticks = asked_target
    s.first_target_ticks = 0
    s.stop_trails = 0
    s.trail_mark = 0.0
    s.stop_ticks = asked_stop if asked_stop > 0 else stop_level(level, sign, rules.stop, costs)
    s.target_ticks = next_target(s, level, rules, costs)
    s.ladder_base = price
    s.ladder_step = 0
    next_ladder(s, rules, costs)


@compiled
def go_against(s, bar, rules, costs, worst, outside_equity, at_open, tray):
    """Let the price go to *worst* (ticks): ladder orders fill, then the stop or the liquidation."""
    while s.lots != 0:
        sign = 1 if s.lots > 0 else -1
        ruin = liquidation_ticks(s, costs, outside_equity)
        stop, is_ruin = s.stop_ticks, False
        if ruin > 0 and (stop == 0 or sign * ruin > sign * stop):
            stop, is_ruin = ruin, True
        rung = s.ladder_ticks
        if rung > 0 and (stop == 0 or sign * rung > sign * stop) and reached(sign, worst, rung):
            _fill_ladder(s, bar, rules, costs, outside_equity, at_open, tray)
            continue
        if stop > 0 and reached(sign, worst, stop):
            reference = bar.open if at_open else stop * costs.tick_size
            reason = EXIT_TRAIL if s.stop_trails else EXIT_STOP
            if is_ruin:
                reason = EXIT_LIQUIDATION
            ticks = taken_ticks(reference, -sign, costs)
            lots = abs(s.lots)
            book(
                s,
                bar,
                costs,
                -sign,
                lots,
                ticks,
                reference,
                LEG_STOP,
                AT_STOP,
                at_open,
                reason,
                tray,
            )
        break


@compiled
def _fill_ladder(s, bar, rules, costs, outside_equity, at_open, tray):
    sign = 1 if s.lots > 0 else -1
    reference = bar.open if at_open else s.ladder_ticks * costs.tick_size
    ticks = made_ticks(reference, sign, s.ladder_ticks, costs)
    price = ticks * costs.tick_size
    equity = s.cash + outside_equity + s.lots * costs.lot_step * price
    free = equity * rules.leverage - abs(s.lots) * costs.lot_step * price
    affordable = lots_down(free / (price * (1 + costs.maker_rate)), costs)
    lots = min(s.ladder_lots, affordable)
    if lots < costs.minimum_lots:
        # What cannot be paid for is not ordered, nor is what would lie below it.
        s.ladder_step = rules.ladder_steps
        s.ladder_ticks = 0
        s.ladder_lots = 0
        return
    book(s, bar, costs, sign, lots, ticks, reference, LEG_LADDER, AT_LIMIT, at_open, -1, tray)
    tray.fills[tray.count - 1].step = s.ladder_step
    level = anchor(s, rules, costs)
    if rules.stop > 0.0:
        s.stop_ticks = stop_level(level, sign, rules.stop, costs)
    s.target_ticks = next_target(s, level, rules, costs)
    next_ladder(s, rules, costs)


@compiled
def go_for(s, bar, rules, costs, best, resting_anchor, at_open, tray):
    """Let the price go to *best* (ticks): targets fill, nearest first."""
    while s.lots != 0 and s.target_ticks > 0:
        sign = 1 if s.lots > 0 else -1
        level = s.target_ticks
        if resting_anchor > 0.0:
            rested = next_target(s, resting_anchor, rules, costs)
            if sign * rested > sign * level:
                level = rested
        if not reached(-sign, best, level):
            break
        is_last = s.targets_done >= rules.partial_targets
        lots = abs(s.lots) if is_last else _slice(s, rules, costs, level)
        if lots > 0:
            reference = bar.open if at_open else level * costs.tick_size
            ticks = made_ticks(reference, -sign, level, costs)
            step = s.targets_done
            book(
                s,
                bar,
                costs,
                -sign,
                lots,
                ticks,
                reference,
                LEG_TARGET,
                AT_LIMIT,
                at_open,
                EXIT_TARGET,
                tray,
            )
            tray.fills[tray.count - 1].step = step
        if s.lots != 0:
            _after_target(s, level, rules, costs)


@compiled
def _slice(s, rules, costs, level):
    """Return how many lots of *s* the next partial target sells; 0 if too few to be an order."""
    part = rules.target_1_part if s.targets_done == 0 else rules.target_2_part
    share = abs(s.lots) * part
    lots = int(share + share * STEP_SLACK)
    price = level * costs.tick_size
    left = abs(s.lots) - lots
    if left < costs.minimum_lots or left * costs.lot_step * price < costs.minimum_notional:
        return abs(s.lots)
    if lots < costs.minimum_lots or lots * costs.lot_step * price < costs.minimum_notional:
        return 0
    return lots


@compiled
def _after_target(s, level, rules, costs):
    """Go on to the next target: the ladder is over, and the stop follows if it ratchets."""
    sign = 1 if s.lots > 0 else -1
    s.ladder_step = rules.ladder_steps
    s.ladder_ticks = 0
    s.ladder_lots = 0
    s.targets_done += 1
    reference = anchor(s, rules, costs)
    if s.targets_done == 1:
        s.first_target_ticks = level
    if rules.stop_ratchets:
        if s.targets_done == 1:
            moved = ticks_down(reference, costs) if sign > 0 else ticks_up(reference, costs)
        else:
            moved = s.first_target_ticks
        if s.stop_ticks == 0 or sign * moved > sign * s.stop_ticks:
            s.stop_ticks = moved
    s.target_ticks = next_target(s, reference, rules, costs)
