"""How one bar meets a position and what waits for it: the rules of fills, compiled.

A bar says where the price began, how far it went and where it ended, not in which order. Where it
does not say, the worse case is assumed (``kindly`` assumes the better one instead):

* funding is due first, on what was held when the bar opened;
* what the first price fills comes next: a market exit, an entry, then what the price jumped over,
  all at the open;
* then the price goes against the position: ladder orders fill, each moving the average and with it
  the stop, until the stop (or the liquidation of a leveraged position) ends it or the bar's extreme
  is reached; only then it goes for the position and fills targets, the resting ones at the farther
  of the levels before and after the ladder moved the average; from there it goes to the close,
  which a stop that followed a target may lie in front of;
* an entry that fills inside the bar may still be stopped out in it, but not reach its target;
* market orders and stops pay slippage and half of the spread and the taker's fee; limits fill at
  their price or better and pay the maker's fee; prices are rounded to ticks against us.

What the bar cannot say, although it matters, is marked on the fill as ambiguous.
"""

from market.costs import STEP_SLACK
from market.kernel.arithmetic import (
    falls_to,
    lots_down,
    made_ticks,
    rises_to,
    taken_ticks,
    ticks_down,
    ticks_up,
)
from market.kernel.compiling import compiled
from market.kernel.records import (
    AT_LIMIT,
    AT_MARKET,
    AT_STOP,
    EXIT_LIQUIDATION,
    EXIT_STOP,
    EXIT_TARGET,
    EXIT_TRAIL,
    LEG_ENTRY,
    LEG_EXIT,
    LEG_LADDER,
    LEG_STOP,
    LEG_TARGET,
)

# mypy: disable-error-code="no-untyped-def"


@compiled
def match(s, bar, rules, costs, outside_equity, kindly, fills, n):
    """Let *bar* meet state *s*, changing it; return the number of *fills* after adding its own.

    Parameters
    ----------
    s, bar, rules, costs
        Records of ``market.kernel.records``; what waits in *s* existed before *bar*.
    outside_equity
        What the same wallet is worth beside this position (quote); keeps it from liquidation.
    kindly
        Whether the better order inside the bar is assumed.
    fills, n
        Array of FILL with room for MOST_FILLS behind the *n* that are there. ``bar`` of a fill is
        left to the caller.
    """
    if s.lots == 0 and s.entry_side == 0:
        return n
    if s.lots != 0 and bar.funding_rate != 0.0:
        s.cash -= s.lots * costs.lot_step * bar.open * bar.funding_rate
    resting_anchor = anchor(s, rules, costs) if s.lots != 0 else 0.0
    n = _at_open(s, bar, rules, costs, outside_equity, resting_anchor, fills, n)
    # What rests for the rest of the bar is what the open has left.
    resting_anchor = anchor(s, rules, costs) if s.lots != 0 else 0.0
    low, high = bar.low / costs.tick_size, bar.high / costs.tick_size
    if s.lots > 0:
        n = _inside(
            s, bar, rules, costs, low, high, outside_equity, resting_anchor, kindly, fills, n
        )
    elif s.lots < 0:
        n = _inside(
            s, bar, rules, costs, high, low, outside_equity, resting_anchor, kindly, fills, n
        )
    elif s.entry_side != 0 and _entry_reached(s, low, high):
        n = _enter_inside(s, bar, rules, costs, low, high, outside_equity, kindly, fills, n)
    return n


@compiled
def anchor(s, rules, costs):
    """Return the price that stop and targets of *s* are measured from."""
    if rules.anchor_has_fees == 0:
        return s.average_price
    return s.average_price + s.entry_fees / (s.lots * costs.lot_step)


@compiled
def stop_level(reference, sign, fraction, costs):
    """Return a stop at *fraction* from *reference* in ticks, rounded away; 0 if there is none."""
    if fraction <= 0.0:
        return 0
    level = reference * (1 - sign * fraction)
    ticks = ticks_down(level, costs) if sign > 0 else ticks_up(level, costs)
    return max(ticks, 0)


@compiled
def target_level(reference, sign, fraction, costs):
    """Return a target at *fraction* from *reference* in ticks, rounded away; 0 if there is none."""
    if fraction <= 0.0:
        return 0
    level = reference * (1 + sign * fraction)
    ticks = ticks_up(level, costs) if sign > 0 else ticks_down(level, costs)
    return max(ticks, 0)


@compiled
def liquidation_ticks(s, costs, outside_equity):
    """Return the level at which equity is only the maintenance margin, in ticks; 0 if nowhere.

    Equity ``C + q p`` meets ``m |q| p`` at ``p = -C / (q - m |q|)``, with cash C, quantity q and
    maintenance rate m.
    """
    if costs.maintenance_rate <= 0.0 or s.lots == 0:
        return 0
    quantity = s.lots * costs.lot_step
    price = -(s.cash + outside_equity) / (quantity - costs.maintenance_rate * abs(quantity))
    if price <= 0.0:
        return 0
    return ticks_up(price, costs) if s.lots > 0 else ticks_down(price, costs)


@compiled
def _at_open(s, bar, rules, costs, outside_equity, resting_anchor, fills, n):
    if s.exit_lots > 0 and s.lots != 0:
        side = -1 if s.lots > 0 else 1
        lots = min(s.exit_lots, abs(s.lots))
        ticks = taken_ticks(bar.open, side, costs)
        reason = s.exit_reason
        n = _book(
            s, bar, costs, side, lots, ticks, bar.open, LEG_EXIT, AT_MARKET, 1, reason, fills, n
        )
    s.exit_lots = 0
    first = bar.open / costs.tick_size
    if s.entry_side != 0 and (s.entry_kind == AT_MARKET or _entry_reached(s, first, first)):
        n = _enter(s, bar, rules, costs, bar.open, 1, fills, n)
        resting_anchor = 0.0
    if s.lots != 0:
        n = _go_against(s, bar, rules, costs, first, outside_equity, 1, fills, n)
        n = _go_for(s, bar, rules, costs, first, resting_anchor, 1, fills, n)
    return n


@compiled
def _inside(s, bar, rules, costs, worst, best, outside_equity, resting_anchor, kindly, fills, n):
    """Walk from the open to *worst* and *best* (ticks), or first to the best if *kindly*."""
    may_win = s.target_ticks != 0 and _reaches_target(s, best)
    if kindly:
        stop, sign = s.stop_ticks, 1 if s.lots > 0 else -1
        wins = n
        n = _go_for(s, bar, rules, costs, best, resting_anchor, 0, fills, n)
        if n > wins and not (stop > 0 and _reached(sign, worst, stop)):
            # The worst came before the best; after it the price went to the close and no farther.
            worst = bar.close / costs.tick_size
    before = n
    n = _go_against(s, bar, rules, costs, worst, outside_equity, 0, fills, n)
    if may_win:
        for k in range(before, n):
            fills[k].is_ambiguous = 1
    if not kindly:
        wins = n
        n = _go_for(s, bar, rules, costs, best, resting_anchor, 0, fills, n)
        if n > wins and s.lots != 0:
            # From the target the price went to the close, maybe through a stop that had followed.
            end = bar.close / costs.tick_size
            n = _go_against(s, bar, rules, costs, end, outside_equity, 0, fills, n)
    return n


@compiled
def _enter_inside(s, bar, rules, costs, low, high, outside_equity, kindly, fills, n):
    kind = s.entry_kind
    before = n
    n = _enter(s, bar, rules, costs, s.entry_ticks * costs.tick_size, 0, fills, n)
    if s.lots == 0:
        return n
    s.entered_inside = 1
    worst, best = (low, high) if s.lots > 0 else (high, low)
    may_win = s.target_ticks != 0 and _reaches_target(s, best)
    # The price fell to a limit and fell on, so its worst came later for sure; that of a stop entry
    # may have come before.
    surely_after = kind == AT_LIMIT
    close = bar.close / costs.tick_size
    if kindly:
        n = _go_for(s, bar, rules, costs, best, 0.0, 0, fills, n)
        if s.lots != 0:
            last = worst if surely_after else close
            n = _go_against(s, bar, rules, costs, last, outside_equity, 0, fills, n)
    else:
        n = _go_against(s, bar, rules, costs, worst, outside_equity, 0, fills, n)
    if may_win or (not surely_after and n > before + 1):
        fills[before].is_ambiguous = 1
    return n


@compiled
def _entry_reached(s, low, high):
    """Tell whether prices from *low* to *high* (ticks) fill the resting entry of *s*."""
    waits_for_fall = (s.entry_side > 0) == (s.entry_kind == AT_LIMIT)
    if waits_for_fall:
        return falls_to(low, s.entry_ticks)
    return rises_to(high, s.entry_ticks)


@compiled
def _reaches_target(s, best):
    if s.lots > 0:
        return rises_to(best, s.target_ticks)
    return falls_to(best, s.target_ticks)


@compiled
def _enter(s, bar, rules, costs, reference, at_open, fills, n):
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
        return n
    n = _book(s, bar, costs, side, lots, ticks, reference, LEG_ENTRY, kind, at_open, -1, fills, n)
    sign = 1 if s.lots > 0 else -1
    level = anchor(s, rules, costs)
    s.targets_done = 0
    s.last_target_ticks = asked_target
    s.first_target_ticks = 0
    s.stop_trails = 0
    s.trail_mark = 0.0
    s.stop_ticks = asked_stop if asked_stop > 0 else stop_level(level, sign, rules.stop, costs)
    s.target_ticks = _next_target(s, level, rules, costs)
    s.ladder_base = price
    s.ladder_step = 0
    _next_ladder(s, rules, costs)
    return n


@compiled
def forget_entry(s):
    """Take back the entry that waits in *s*."""
    s.entry_side = 0
    s.entry_kind = AT_MARKET
    s.entry_lots = 0
    s.entry_ticks = 0
    s.entry_stop_ticks = 0
    s.entry_target_ticks = 0
    s.entry_budget = 0.0
    s.entry_bars_left = 0


@compiled
def _next_target(s, reference, rules, costs):
    """Return the level of the next target of *s* in ticks, measured from *reference*; 0 for none."""
    sign = 1 if s.lots > 0 else -1
    if s.targets_done == 0 and rules.partial_targets > 0:
        return target_level(reference, sign, rules.target_1, costs)
    if s.targets_done == 1 and rules.partial_targets > 1:
        return target_level(reference, sign, rules.target_2, costs)
    if s.last_target_ticks > 0:
        return s.last_target_ticks
    return target_level(reference, sign, rules.target, costs)


@compiled
def _next_ladder(s, rules, costs):
    """Put the next order of the ladder in place, or none if there is no further one."""
    s.ladder_ticks = 0
    s.ladder_lots = 0
    if s.ladder_step >= rules.ladder_steps:
        return
    s.ladder_step += 1
    sign = 1 if s.lots > 0 else -1
    level = s.ladder_base * (1 - sign * s.ladder_step * rules.ladder_deviation)
    ticks = ticks_down(level, costs) if sign > 0 else ticks_up(level, costs)
    if ticks <= 0:
        return
    quote = rules.ladder_quote * rules.ladder_scale ** (s.ladder_step - 1)
    price = ticks * costs.tick_size
    lots = lots_down(quote / price, costs)
    if lots < costs.minimum_lots or lots * costs.lot_step * price < costs.minimum_notional:
        return
    s.ladder_ticks = ticks
    s.ladder_lots = lots


@compiled
def _go_against(s, bar, rules, costs, worst, outside_equity, at_open, fills, n):
    """Let the price go to *worst* (ticks): ladder orders fill, then the stop or the liquidation."""
    while s.lots != 0:
        sign = 1 if s.lots > 0 else -1
        ruin = liquidation_ticks(s, costs, outside_equity)
        stop, is_ruin = s.stop_ticks, False
        if ruin > 0 and (stop == 0 or sign * ruin > sign * stop):
            stop, is_ruin = ruin, True
        rung = s.ladder_ticks
        if rung > 0 and (stop == 0 or sign * rung > sign * stop) and _reached(sign, worst, rung):
            n = _fill_ladder(s, bar, rules, costs, outside_equity, at_open, fills, n)
            continue
        if stop > 0 and _reached(sign, worst, stop):
            reference = bar.open if at_open else stop * costs.tick_size
            reason = EXIT_TRAIL if s.stop_trails else EXIT_STOP
            if is_ruin:
                reason = EXIT_LIQUIDATION
            ticks = taken_ticks(reference, -sign, costs)
            lots = abs(s.lots)
            n = _book(
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
                fills,
                n,
            )
        break
    return n


@compiled
def _reached(sign, worst, ticks):
    if sign > 0:
        return falls_to(worst, ticks)
    return rises_to(worst, ticks)


@compiled
def _fill_ladder(s, bar, rules, costs, outside_equity, at_open, fills, n):
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
        return n
    n = _book(
        s, bar, costs, sign, lots, ticks, reference, LEG_LADDER, AT_LIMIT, at_open, -1, fills, n
    )
    fills[n - 1].step = s.ladder_step
    level = anchor(s, rules, costs)
    if rules.stop > 0.0:
        s.stop_ticks = stop_level(level, sign, rules.stop, costs)
    s.target_ticks = _next_target(s, level, rules, costs)
    _next_ladder(s, rules, costs)
    return n


@compiled
def _go_for(s, bar, rules, costs, best, resting_anchor, at_open, fills, n):
    """Let the price go to *best* (ticks): targets fill, nearest first."""
    while s.lots != 0 and s.target_ticks > 0:
        sign = 1 if s.lots > 0 else -1
        level = s.target_ticks
        if resting_anchor > 0.0:
            rested = _next_target(s, resting_anchor, rules, costs)
            if sign * rested > sign * level:
                level = rested
        if not _reached(-sign, best, level):
            break
        is_last = s.targets_done >= rules.partial_targets
        lots = abs(s.lots) if is_last else _slice(s, rules, costs, level)
        if lots > 0:
            reference = bar.open if at_open else level * costs.tick_size
            ticks = made_ticks(reference, -sign, level, costs)
            step = s.targets_done
            n = _book(
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
                fills,
                n,
            )
            fills[n - 1].step = step
        if s.lots != 0:
            _after_target(s, level, rules, costs)
    return n


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
    s.target_ticks = _next_target(s, reference, rules, costs)


@compiled
def _book(s, bar, costs, side, lots, ticks, reference, leg, kind, at_open, exit_reason, fills, n):
    """Write a fill down and move the position and the cash of *s* by it."""
    price = ticks * costs.tick_size
    is_maker = kind == AT_LIMIT
    rate = costs.maker_rate if is_maker else costs.taker_rate
    fee = lots * costs.lot_step * price * rate
    fill = fills[n]
    fill.open_time = bar.open_time
    fill.lots = lots
    fill.price_ticks = ticks
    fill.fee = fee
    fill.slippage = lots * costs.lot_step * (side * (price - reference))
    fill.side = side
    fill.leg = leg
    fill.kind = kind
    fill.is_maker = is_maker
    fill.at_open = at_open
    fill.exit_reason = exit_reason
    fill.is_ambiguous = 0
    fill.step = 0
    move(s, side * lots, price, fee, costs)
    return n + 1


@compiled
def move(s, signed, price, fee, costs):
    """Book *signed* lots at *price* with *fee* on the position and the cash of *s*."""
    lots = s.lots
    after = lots + signed
    s.cash -= signed * costs.lot_step * price + fee
    if lots * signed >= 0:
        s.average_price = (lots * s.average_price + signed * price) / after
        s.entry_fees += fee
    elif after == 0:
        s.average_price = 0.0
        s.entry_fees = 0.0
    elif (after > 0) != (lots > 0):
        s.average_price = price
        s.entry_fees = fee
    else:
        s.entry_fees *= after / lots
    s.lots = after
    if after == 0:
        s.was_closed = 1
        drop_protection(s)


@compiled
def drop_protection(s):
    """Take away stop, targets and ladder of *s*."""
    s.stop_ticks = 0
    s.stop_trails = 0
    s.target_ticks = 0
    s.targets_done = 0
    s.last_target_ticks = 0
    s.first_target_ticks = 0
    s.trail_mark = 0.0
    s.ladder_base = 0.0
    s.ladder_step = 0
    s.ladder_ticks = 0
    s.ladder_lots = 0
