"""The fold: every bar meets what waits for it, then its close is decided upon. Compiled.

``run`` calls ``match`` and ``decide`` for each bar, or jumps over the bars on which nothing can
happen: no signal that matters, no level touched, no funding due. Both give the same bytes.
"""

from typing import Final

import numpy as np

from market.kernel.compiling import compiled, inlined
from market.kernel.levels import liquidation_ticks
from market.kernel.matching import match
from market.kernel.memory import borrowed, prefetch
from market.kernel.records import AT_MARKET, FILL, MOST_FILLS
from strategies.kernel import (
    ARM_EXIT,
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    FLATTEN,
    FUNDING,
    MAY_ENTER,
    NOT_READY,
    R_HOLD,
    R_NO_SIGNAL,
    R_WARMING_UP,
    decide,
)
from strategies.signals import UTC_DAY

# mypy: disable-error-code="no-untyped-def"

#: Levels are looked for with a margin: to wake for nothing costs a moment, to sleep is wrong.
_MARGIN: Final = 1e-9

_WAKES_FLAT: Final = ENTER_LONG | ENTER_SHORT
_WAKES_LONG: Final = EXIT_LONG | FLATTEN | ARM_EXIT | FUNDING
_WAKES_SHORT: Final = EXIT_SHORT | FLATTEN | ARM_EXIT | FUNDING
_MARKS: Final = _WAKES_FLAT | _WAKES_LONG | _WAKES_SHORT
_MARKS_OF_EIGHT: Final = np.uint64(_MARKS * 0x0101010101010101)

#: How many bars are looked at together for one that touches a level.
_BARS_AT_ONCE: Final = 32

#: How many signals are looked at for one that matters, before waking for nothing.
_MARKS_AT_ONCE: Final = 32

#: How many signals before its own a bar is asked for.
_MARKS_AHEAD: Final = 4

#: How many lines of a cache, and of how many bars, are asked for behind it.
_LINES_AHEAD: Final = 4
_BARS_OF_LINE: Final = 8


@compiled
def pack(enter_long, enter_short, exit_long, exit_short, ready, flatten, arm_exit, funding):
    """Return the bits of ``says`` for every bar, uint8; a column of length 0 says nothing."""
    says = np.empty(len(ready), dtype=np.uint8)
    for i in range(len(ready)):
        says[i] = (
            enter_long[i] * ENTER_LONG
            | enter_short[i] * ENTER_SHORT
            | exit_long[i] * EXIT_LONG
            | exit_short[i] * EXIT_SHORT
            | (not ready[i]) * NOT_READY
        )
    if len(flatten):
        for i in range(len(ready)):
            says[i] |= flatten[i] * FLATTEN
    if len(arm_exit):
        for i in range(len(ready)):
            says[i] |= arm_exit[i] * ARM_EXIT
    if len(funding):
        for i in range(len(ready)):
            says[i] |= (funding[i] != 0.0) * FUNDING
    return says


@compiled
def marks_of(says):
    """Return the bars at which *says* has a bit that may wake a run, int32, oldest first."""
    marks = np.empty(len(says) + 1, dtype=np.int32)
    # Eight bars at a time, most of which say nothing.
    words = says[: len(says) - len(says) % 8].view(np.uint64)
    count = 0
    for word in range(len(words)):
        if words[word] & _MARKS_OF_EIGHT:
            for i in range(8 * word, 8 * word + 8):
                marks[count] = i
                count += (says[i] & _MARKS) != 0
    for i in range(8 * len(words), len(says)):
        marks[count] = i
        count += (says[i] & _MARKS) != 0
    return marks[:count]


@compiled
def run(
    state, desk, bars, funding, says, marks, entries, rules, costs, trade_from_ms, early, kindly, sleeps,
    detail, first, last, equity, reasons, fills, count,
):  # fmt: skip
    """Fold bars ``[first, last)`` into *state*; return the fills and how many there are.

    Parameters
    ----------
    state, desk, rules, costs
        Records of shape ``(1,)``; *state* is changed, *desk* is to work on.
    bars
        ``(times, opens, highs, lows, closes)``, each of shape ``(n,)``.
    funding
        What is due at each bar's open, shape ``(n,)``, or ``(0,)`` for nothing.
    says, marks
        What the strategy says, as ``pack`` gives it, and ``marks_of`` it.
    entries
        ``(kinds, prices, validities, stops, targets, sessions)``: columns of shape ``(n,)``, or
        ``(0,)`` where nothing is said.
    trade_from_ms, early
        Bars that open before open no position, for the reason *early*.
    kindly, sleeps
        As ``match`` takes it; whether to jump over bars on which nothing can happen.
    detail
        Shorter bars to resolve the order inside the bar with: where each bar's begin in them, with
        the end of the last, shape ``(n + 1,)``, or ``(0,)`` for none at all; and their columns.
    equity, reasons
        Outputs of shape ``(n,)``: float64 (quote, at each close) and uint8.
    fills, count
        Where the fills go, behind those that are there; a longer array is returned when needed.
    """
    bars, entries, detail = borrowed(bars), borrowed(entries), borrowed(detail)
    says, marks, funding = borrowed(says), borrowed(marks), borrowed(funding)
    equity, reasons = borrowed(equity), borrowed(reasons)
    s, r, c = state[0], rules[0], costs[0]
    bar, signal, tray = desk[0].bar, desk[0].signal, desk[0].tray
    at = np.searchsorted(marks, first)
    i = first
    while i < last:
        if sleeps and not (s.exit_lots or s.entry_side or s.was_closed or s.seen_lots != s.lots):
            at, until = _next_event(s, r, c, i, last, bars, says, marks, at)
            if until > i:
                _sleep(s, c, i, until, bars, says, equity, reasons)
                i = until
                if i == last:
                    break
        bar.funding_rate = funding[i] if len(funding) else 0.0
        begin, end = _parts_of(detail, i)
        for part in range(begin, end):
            _read(bar, detail[1:], part)
            match(s, bar, r, c, 0.0, kindly, tray)
            bar.funding_rate = 0.0
            if count + tray.count > len(fills):
                fills = _longer(fills, count)
            count = _keep(tray, i, fills, count)
        _read(bar, bars, i)
        if begin == end:
            match(s, bar, r, c, 0.0, kindly, tray)
            if count + tray.count > len(fills):
                fills = _longer(fills, count)
            count = _keep(tray, i, fills, count)
        _hear(signal, says, entries, i)
        no_entry = early if bar.open_time < trade_from_ms else MAY_ENTER
        reasons[i] = decide(s, signal, bar, r, c, no_entry, 0.0, 0.0)
        equity[i] = s.cash + s.lots * c.lot_step * bar.close
        i += 1
    return fills, count


@inlined
def _parts_of(detail, i):
    """Return where the shorter bars of bar *i* begin and end in *detail*."""
    begins = detail[0]
    if len(begins) == 0:
        return 0, 0
    return begins[i], begins[i + 1]


@inlined
def _read(bar, bars, i):
    times, opens, highs, lows, closes = bars
    bar.open_time = times[i]
    bar.open = opens[i]
    bar.high = highs[i]
    bar.low = lows[i]
    bar.close = closes[i]


@inlined
def _hear(signal, says, entries, i):
    kinds, prices, validities, stops, targets, sessions = entries
    signal.says = says[i] & ~FUNDING
    signal.entry_kind = kinds[i] if len(kinds) else AT_MARKET
    signal.entry_price = prices[i] if len(prices) else np.nan
    signal.entry_bars = validities[i] if len(validities) else 0
    signal.stop_price = stops[i] if len(stops) else np.nan
    signal.target_price = targets[i] if len(targets) else np.nan
    signal.session = sessions[i] if len(sessions) else UTC_DAY


@inlined
def _sleep(s, costs, start, stop, bars, says, equity, reasons):
    """Write down bars ``[start, stop)``, on which nothing happened to *s*."""
    # Parts, because the compiler walks in strides only where it sees that no index is below 0.
    closes, says = bars[4][start:stop], says[start:stop]
    equity, reasons = equity[start:stop], reasons[start:stop]
    cash = s.cash
    if s.lots != 0:
        quantity = s.lots * costs.lot_step
        s.bars_held += stop - start
        for i in range(len(equity)):
            equity[i] = cash + quantity * closes[i]
        for i in range(len(reasons)):
            reasons[i] = R_HOLD
        return
    for i in range(len(equity)):
        equity[i] = cash
    for i in range(len(reasons)):
        reasons[i] = R_WARMING_UP if says[i] & NOT_READY else R_NO_SIGNAL


@inlined
def _keep(tray, i, fills, count):
    """Copy what lies on *tray* behind the *count* of *fills*, as those of bar *i*."""
    for k in range(tray.count):
        fills[count] = tray.fills[k]
        fills[count].bar = i
        count += 1
    return count


@compiled
def _longer(fills, count):
    longer = np.empty(2 * len(fills) + MOST_FILLS, dtype=FILL)
    longer[:count] = fills[:count]
    return longer


@inlined
def _next_event(s, rules, costs, i, last, bars, says, marks, at):
    """Return the first bar from *i* on at which something may happen to *s*, or *last*.

    And before it the place of the first of *marks* that is not over, looked for from *at* on.
    """
    wakes = _WAKES_FLAT
    if s.lots != 0:
        wakes = _WAKES_LONG if s.lots > 0 else _WAKES_SHORT
    while at < len(marks) and marks[at] < i:
        at += 1
    _fetch_ahead(bars, marks, at + _MARKS_AHEAD)
    # What does not matter now may matter once this position is closed, so the place stays.
    end = min(at + _MARKS_AT_ONCE, len(marks))
    found = at
    while found < end and not says[marks[found]] & wakes:
        found += 1
    until = last if found == len(marks) else min(last, marks[found])
    if s.lots == 0:
        return at, until
    times, _, highs, lows, _ = bars
    if rules.max_hold_ms > 0:
        until = _first_from(times, i, until, s.entered_ms + rules.max_hold_ms)
    low, high = _quiet_range(s, rules, costs)
    if low > 0.0 or high < np.inf:
        until = _first_touch(highs, lows, low, high, i, until)
    return at, until


@inlined
def _first_from(times, start, stop, instant):
    """Return the first bar of ``[start, stop)`` that opens at *instant* or later, or *stop*."""
    while start < stop:
        middle = (start + stop) // 2
        if times[middle] < instant:
            start = middle + 1
        else:
            stop = middle
    return start


@inlined
def _first_touch(highs, lows, low, high, start, stop):
    """Return the first bar of ``[start, stop)`` that reaches *low* or *high*, or *stop*."""
    # Parts, as in ``_sleep``.
    highs, lows = highs[start:stop], lows[start:stop]
    begin = 0
    for block in range(len(lows) // _BARS_AT_ONCE):
        touched = False
        for i in range(block * _BARS_AT_ONCE, (block + 1) * _BARS_AT_ONCE):
            touched |= (lows[i] <= low) | (highs[i] >= high)
        if touched:
            break
        begin += _BARS_AT_ONCE
    for i in range(begin, len(lows)):
        if lows[i] <= low or highs[i] >= high:
            return start + i
    return stop


@inlined
def _fetch_ahead(bars, marks, at):
    """Have the bar of a mark to come at hand by the time that it is needed."""
    if at >= len(marks):
        return
    times, opens, highs, lows, closes = bars
    bar = marks[at]
    prefetch(times, bar)
    prefetch(opens, bar)
    prefetch(highs, bar)
    prefetch(lows, bar)
    # What is held from there on is marked at closes, which lie together.
    for line in range(_LINES_AHEAD):
        prefetch(closes, min(bar + line * _BARS_OF_LINE, len(closes) - 1))


@compiled
def _quiet_range(s, rules, costs):
    """Return the prices between which no level of *s* is touched and no trail moves."""
    below, above = 0, 0
    sign = 1 if s.lots > 0 else -1
    ruin = liquidation_ticks(s, costs, 0.0)
    nearest = 0
    for level in (s.stop_ticks, s.ladder_ticks, ruin):
        if level > 0 and (nearest == 0 or sign * level > sign * nearest):
            nearest = level
    if sign > 0:
        below, above = nearest, s.target_ticks
    else:
        below, above = s.target_ticks, nearest
    low = below * costs.tick_size * (1 + _MARGIN)
    high = above * costs.tick_size * (1 - _MARGIN) if above > 0 else np.inf
    if rules.trail_offset > 0.0:
        mark = s.trail_mark
        if mark == 0.0:
            mark = s.average_price * (1 + sign * rules.trail_activation)
        if sign > 0:
            high = min(high, mark * (1 - _MARGIN))
        else:
            low = max(low, mark * (1 + _MARGIN))
    return low, high


@compiled
def equity_curve(cash, lots, closes, lot_step):
    """Return ``cash + lots x lot_step x close`` of every bar."""
    equity = np.empty(len(cash), dtype=np.float64)
    for i in range(len(cash)):
        equity[i] = cash[i] + lots[i] * lot_step * closes[i]
    return equity
