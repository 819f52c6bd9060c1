"""The decision at the close of a bar, compiled: the only place where a decision is made."""

from typing import Final

import numpy as np

from market.kernel.arithmetic import lots_down, slipped, ticks_down, ticks_up
from market.kernel.booking import drop_protection, forget_entry
from market.kernel.compiling import compiled
from market.kernel.matching import match
from market.kernel.records import (
    AT_LIMIT,
    AT_MARKET,
    BAR,
    EXIT_SESSION_END,
    EXIT_SIGNAL,
    EXIT_TIME_LIMIT,
    MOST_FILLS,
    TRAY,
)
from market.timeframes import DAY_MS
from strategies.reasons import ReasonCode, number_of
from strategies.signals import UTC_DAY

# mypy: disable-error-code="no-untyped-def"

#: What a strategy says at one close: bits of ``says``, and the columns of ``Signals``.
SIGNAL: Final = np.dtype(
    [
        ("says", np.int64),
        ("entry_kind", np.int64),
        ("entry_price", np.float64),
        ("entry_bars", np.int64),
        ("stop_price", np.float64),
        ("target_price", np.float64),
        ("session", np.int64),
    ]
)

#: What a run works on while it goes from bar to bar: whoever calls it holds it, because a compiled
#: function lets go of an array of its own as soon as it has taken the record out of it.
DESK: Final = np.dtype([("bar", BAR), ("signal", SIGNAL), ("tray", TRAY)], align=True)

ENTER_LONG: Final = 1
ENTER_SHORT: Final = 2
EXIT_LONG: Final = 4
EXIT_SHORT: Final = 8
FLATTEN: Final = 16
NOT_READY: Final = 32
ARM_EXIT: Final = 64
#: Funding is due at the bar's open; no strategy says it, but it wakes whoever holds a position.
FUNDING: Final = 128

#: Sizing modes as ``Rules`` records hold them.
BY_RISK: Final = 0
BY_NOTIONAL: Final = 1
FIXED_BASE: Final = 2
FIXED_QUOTE: Final = 3

#: Instead of the number of a reason: nothing forbids an entry.
MAY_ENTER: Final = -1

R_ENTER_LONG: Final = number_of(ReasonCode.ENTER_LONG)
R_ENTER_SHORT: Final = number_of(ReasonCode.ENTER_SHORT)
R_REVERSE: Final = number_of(ReasonCode.REVERSE)
R_EXIT_SIGNAL: Final = number_of(ReasonCode.EXIT_SIGNAL)
R_HOLD: Final = number_of(ReasonCode.HOLD)
R_ORDER_PENDING: Final = number_of(ReasonCode.ORDER_PENDING)
R_NO_SIGNAL: Final = number_of(ReasonCode.NO_SIGNAL)
R_WARMING_UP: Final = number_of(ReasonCode.WARMING_UP)
R_LONG_NOT_ALLOWED: Final = number_of(ReasonCode.LONG_NOT_ALLOWED)
R_SHORT_NOT_ALLOWED: Final = number_of(ReasonCode.SHORT_NOT_ALLOWED)
R_BELOW_MINIMUM: Final = number_of(ReasonCode.BELOW_MINIMUM)
R_NO_CAPITAL: Final = number_of(ReasonCode.NO_CAPITAL)
R_COOLDOWN: Final = number_of(ReasonCode.COOLDOWN)
R_DAILY_LIMIT: Final = number_of(ReasonCode.DAILY_LIMIT)
R_SESSION_END: Final = number_of(ReasonCode.SESSION_END)
R_TIME_LIMIT: Final = number_of(ReasonCode.TIME_LIMIT)
R_RUN_LIMIT: Final = number_of(ReasonCode.RUN_LIMIT)
R_ORDER_EXPIRED: Final = number_of(ReasonCode.ORDER_EXPIRED)


@compiled
def decide(s, signal, bar, rules, costs, no_entry, outside_equity, outside_notional):
    """Decide at the close of *bar*, changing state *s*; return the number of the reason.

    Parameters
    ----------
    s, bar, rules, costs, signal
        Records of ``market.kernel.records``, and SIGNAL.
    no_entry
        The number of the reason why nothing may be opened, or MAY_ENTER; exits go on.
    outside_equity, outside_notional
        What the same wallet is worth, and what it has at stake, beside this position (quote).
    """
    notice(s, bar, rules, costs)
    if s.awaits_venue or s.exit_lots > 0 or (s.entry_side != 0 and s.entry_kind == AT_MARKET):
        return R_ORDER_PENDING
    if s.lots != 0:
        return _in_position(
            s, signal, bar, rules, costs, no_entry, outside_equity, outside_notional
        )
    return _flat(s, signal, bar, rules, costs, no_entry, outside_equity, outside_notional)


@compiled
def step_many(
    states, first, signal, bar, rules, places, costs, no_entry, awaits, tray, fills, owners, between
):
    """Let one bar meet many states of one market and decide at its close, from state *first* on.

    Parameters
    ----------
    states, rules, places
        The states, which are changed; all rules, and which of them each state has.
    no_entry, awaits
        For each state: as ``decide`` takes it, and whether orders of it are on their way.
    tray, fills, owners
        A TRAY to work with; where the fills go, and which state each is of.
    between
        Shape ``(n, 3)``: what is left of exit and entry (side) after the bar, and the reason.

    Returns the number of fills, and the state to go on with: fills had no room for another bar.
    """
    count = 0
    for i in range(first, len(states)):
        if count + MOST_FILLS > len(fills):
            return count, i
        s = states[i]
        own = rules[places[i]]
        match(s, bar, own, costs, 0.0, False, tray)
        for k in range(tray.count):
            fills[count] = tray.fills[k]
            owners[count] = i
            count += 1
        s.awaits_venue = awaits[i]
        between[i, 0] = s.exit_lots
        between[i, 1] = s.entry_side
        between[i, 2] = decide(s, signal, bar, own, costs, no_entry[i], 0.0, 0.0)
    return count, len(states)


@compiled
def _flat(s, signal, bar, rules, costs, no_entry, outside_equity, outside_notional):
    says = signal.says
    waited = s.entry_side != 0
    expired = False
    if waited and s.entry_bars_left > 0:
        s.entry_bars_left -= 1
        expired = s.entry_bars_left == 0
    if waited and (expired or says & FLATTEN):
        _take_back(s)
    enters = (says & ENTER_LONG != 0) != (says & ENTER_SHORT != 0)
    if says & NOT_READY or says & FLATTEN or not enters:
        # Both at once is a contradiction, which is no signal either.
        if s.entry_side != 0:
            return R_ORDER_PENDING
        if expired:
            return R_ORDER_EXPIRED
        return R_WARMING_UP if says & NOT_READY else R_NO_SIGNAL
    if s.entry_side != 0:
        _take_back(s)
    side = 1 if says & ENTER_LONG else -1
    refused = refusal(s, side, signal, bar, rules, no_entry)
    if refused == MAY_ENTER:
        refused = _place_entry(s, side, signal, bar, rules, costs, outside_equity, outside_notional)
    if refused != MAY_ENTER:
        return refused
    return R_ENTER_LONG if side > 0 else R_ENTER_SHORT


@compiled
def notice(s, bar, rules, costs):
    """Remember what has happened to *s* since the last decision, and move the trail."""
    lots, seen = s.lots, s.seen_lots
    if lots == 0:
        if seen != 0 or s.was_closed:
            s.cooldown_until_ms = bar.open_time + rules.cooldown_ms if rules.cooldown_ms else 0
            s.exit_armed = 0
            s.bars_held = 0
    elif seen == 0 or (seen > 0) != (lots > 0) or s.was_closed:
        s.entered_ms = bar.open_time
        s.bars_held = 0
        s.exit_armed = 0
    else:
        s.bars_held += 1
    if lots != 0 and rules.trail_offset > 0.0:
        _trail(s, bar, rules, costs)
    s.seen_lots = lots
    s.was_closed = 0
    s.entered_inside = 0


@compiled
def _trail(s, bar, rules, costs):
    """Let the stop follow the best price since it was armed, in force from the next bar on."""
    sign = 1 if s.lots > 0 else -1
    best = bar.high if sign > 0 else bar.low
    if s.entered_inside:
        # Where the bar went before the entry is unknown; only its end surely came after it.
        best = bar.close
    if s.trail_mark == 0.0:
        if sign * (best - s.average_price) < s.average_price * rules.trail_activation:
            return
        s.trail_mark = best
    elif sign * best > sign * s.trail_mark:
        s.trail_mark = best
    level = s.trail_mark * (1 - sign * rules.trail_offset)
    ticks = ticks_down(level, costs) if sign > 0 else ticks_up(level, costs)
    if ticks > 0 and (s.stop_ticks == 0 or sign * ticks > sign * s.stop_ticks):
        s.stop_ticks = ticks
        s.stop_trails = 1


@compiled
def _in_position(s, signal, bar, rules, costs, no_entry, outside_equity, outside_notional):
    says = signal.says
    is_long = s.lots > 0
    if says & ARM_EXIT:
        s.exit_armed = 1
    if says & FLATTEN:
        _place_exit(s, EXIT_SESSION_END)
        return R_SESSION_END
    if rules.max_hold_ms > 0 and bar.open_time - s.entered_ms >= rules.max_hold_ms:
        _place_exit(s, EXIT_TIME_LIMIT)
        return R_TIME_LIMIT
    leaves = says & (EXIT_LONG if is_long else EXIT_SHORT)
    if rules.exit_needs_arming and not s.exit_armed:
        leaves = 0
    if not leaves or s.bars_held < rules.exit_after_bars:
        return R_HOLD
    turns = says & (ENTER_SHORT if is_long else ENTER_LONG)
    if turns and rules.reverses and not rules.cooldown_ms:
        side = -1 if is_long else 1
        if refusal(s, side, signal, bar, rules, no_entry) == MAY_ENTER:
            placed = _place_entry(
                s, side, signal, bar, rules, costs, outside_equity, outside_notional
            )
            if placed == MAY_ENTER:
                _place_exit(s, EXIT_SIGNAL)
                return R_REVERSE
    _place_exit(s, EXIT_SIGNAL)
    return R_EXIT_SIGNAL


@compiled
def _place_exit(s, reason):
    drop_protection(s)
    s.exit_lots = abs(s.lots)
    s.exit_reason = reason


@compiled
def _take_back(s):
    """Cancel the resting entry of *s*; it does not count as a trade."""
    forget_entry(s)
    s.trades -= 1
    s.trades_of_day -= 1


@compiled
def refusal(s, side, signal, bar, rules, no_entry):
    """Return the number of the reason why *s* may not enter on *side*, or MAY_ENTER."""
    if side > 0 and not rules.may_go_long:
        return R_LONG_NOT_ALLOWED
    if side < 0 and not rules.may_go_short:
        return R_SHORT_NOT_ALLOWED
    if no_entry != MAY_ENTER:
        return no_entry
    if bar.open_time < s.cooldown_until_ms:
        return R_COOLDOWN
    if rules.max_trades > 0 and s.trades >= rules.max_trades:
        return R_RUN_LIMIT
    same_day = s.day_ms == _day_of(signal, bar)
    if rules.max_trades_per_day > 0 and same_day and s.trades_of_day >= rules.max_trades_per_day:
        return R_DAILY_LIMIT
    return MAY_ENTER


@compiled
def _day_of(signal, bar):
    if signal.session != UTC_DAY:
        return signal.session
    return bar.open_time - bar.open_time % DAY_MS


@compiled
def _place_entry(s, side, signal, bar, rules, costs, outside_equity, outside_notional):
    """Let an entry on *side* wait in *s*; return MAY_ENTER, or why there is none."""
    kind = signal.entry_kind
    ticks = 0
    price = bar.close
    if kind != AT_MARKET:
        # A limit is never worse than asked, a stop never earlier.
        up = (side > 0) != (kind == AT_LIMIT)
        ticks = ticks_up(signal.entry_price, costs) if up else ticks_down(signal.entry_price, costs)
        price = ticks * costs.tick_size
    stop_ticks = _ticks_of_exit(signal.stop_price, side, True, price, costs)
    target_ticks = _ticks_of_exit(signal.target_price, side, False, price, costs)
    stop = rules.stop
    if stop_ticks > 0:
        stop = abs(price - stop_ticks * costs.tick_size) / price
    available = available_notional(s, bar, rules, costs, outside_equity, outside_notional)
    lots, refused = size_entry(s, side, price, stop, available, rules, costs)
    if refused != MAY_ENTER:
        return refused
    s.entry_side = side
    s.entry_kind = kind
    s.entry_lots = lots
    s.entry_ticks = ticks
    s.entry_stop_ticks = stop_ticks
    s.entry_target_ticks = target_ticks
    # The next price may be dearer than this one; a buyer still cannot spend more than there is.
    s.entry_budget = available if side > 0 else 0.0
    s.entry_bars_left = signal.entry_bars if kind != AT_MARKET else 0
    day = _day_of(signal, bar)
    s.trades_of_day = s.trades_of_day + 1 if s.day_ms == day else 1
    s.day_ms = day
    s.trades += 1
    return MAY_ENTER


@compiled
def _ticks_of_exit(asked, side, is_stop, price, costs):
    """Return the level *asked* for in ticks, rounded away from the entry at *price*.

    0 if none was asked, or one on the wrong side of the entry.
    """
    down = (side > 0) == is_stop
    if not asked > 0.0 or (asked < price) != down:
        return 0
    return ticks_down(asked, costs) if down else ticks_up(asked, costs)


@compiled
def available_notional(s, bar, rules, costs, outside_equity, outside_notional):
    """Return how much *s* may have at stake once what it holds is closed at this bar's close."""
    equity = s.cash
    if s.lots != 0:
        out = slipped(bar.close, -1 if s.lots > 0 else 1, costs)
        worth = s.lots * costs.lot_step * out
        equity = s.cash + worth - abs(worth) * costs.taker_rate
    return (equity + outside_equity) * rules.leverage - outside_notional


@compiled
def size_entry(s, side, price, stop, available, rules, costs):
    """Return the lots of an entry at *price*, and MAY_ENTER or the number of why there are none.

    The size never costs more than *available* (quote), fee and slippage included.
    """
    if available <= 0.0:
        return 0, R_NO_CAPITAL
    capital = available / rules.leverage if rules.compounds else s.capital
    if rules.capital_parts > 0:
        capital /= rules.capital_parts
    if rules.sizing == BY_RISK:
        quantity = capital * rules.size / (price * stop) if stop > 0.0 else 0.0
    elif rules.sizing == BY_NOTIONAL:
        quantity = capital * rules.size / price
    elif rules.sizing == FIXED_BASE:
        quantity = rules.size
    else:
        quantity = rules.size / price
    wanted = lots_down(quantity, costs)
    worst = slipped(price, 1, costs) if side > 0 else price
    affordable = lots_down(available / (worst * (1 + costs.taker_rate)), costs)
    lots = min(wanted, affordable)
    if lots >= costs.minimum_lots and lots * costs.lot_step * price >= costs.minimum_notional:
        return lots, MAY_ENTER
    return 0, R_BELOW_MINIMUM if wanted <= affordable else R_NO_CAPITAL
