"""The fold: every bar meets what waits for it, then its close is decided upon. Compiled.

``step_all`` calls ``match`` and ``decide`` for each bar. ``wake_all`` gives the same bytes and jumps
over the bars on which nothing can happen: no signal that matters, no level touched, no funding due.
"""

from typing import Final

import numpy as np

from market.kernel.compiling import compiled
from market.kernel.matching import liquidation_ticks, match
from market.kernel.records import BAR, FILL, MOST_FILLS
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
    SIGNAL,
    decide,
)

# mypy: disable-error-code="no-untyped-def"

#: Levels are looked for with a margin: to wake for nothing costs a moment, to sleep is wrong.
_MARGIN: Final = 1e-9

_WAKES_FLAT: Final = ENTER_LONG | ENTER_SHORT
_WAKES_LONG: Final = EXIT_LONG | FLATTEN | ARM_EXIT | FUNDING
_WAKES_SHORT: Final = EXIT_SHORT | FLATTEN | ARM_EXIT | FUNDING


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
def run(
    state, times, opens, highs, lows, closes, funding, says, kinds, prices, validities, stops,
    targets, sessions, rules, costs, trade_from_ms, early, kindly, sleeps, detail_first,
    detail_times, detail_opens, detail_highs, detail_lows, detail_closes, first, last, cash, lots,
    reasons, fills, count,
):  # fmt: skip
    """Fold bars ``[first, last)`` into *state*; return the fills and how many there are.

    Parameters
    ----------
    state, rules, costs
        Records of shape ``(1,)``; *state* is changed.
    times, opens, highs, lows, closes
        Bars, shape ``(n,)``.
    funding, kinds, prices, validities, stops, targets, sessions
        Columns of shape ``(n,)``, or ``(0,)`` where nothing is said; *says* as ``pack`` gives it.
    trade_from_ms, early
        Bars that open before open no position, for the reason *early*.
    kindly, sleeps
        As ``match`` takes it; whether to jump over bars on which nothing can happen.
    detail_first, detail_times, ...
        Shorter bars to resolve the order inside the bar with: bar i consists of those from
        ``detail_first[i]`` to ``detail_first[i + 1]``; length 0 for none at all.
    cash, lots, reasons
        Outputs of shape ``(n,)``: float64, int64, uint8, after each bar.
    fills, count
        Where the fills go, behind those that are there; a longer array is returned when needed.
    """
    s = state[0]
    bars = np.empty(1, dtype=BAR)
    signals = np.empty(1, dtype=SIGNAL)
    bar, signal = bars[0], signals[0]
    r, c = rules[0], costs[0]
    i = first
    while i < last:
        if sleeps and not (s.exit_lots or s.entry_side or s.was_closed or s.seen_lots != s.lots):
            until = _next_event(s, r, c, i, last, times, highs, lows, says)
            if until > i:
                _sleep(s, i, until, says, cash, lots, reasons)
                i = until
                if i == last:
                    break
        if count + MOST_FILLS > len(fills):
            longer = np.empty(2 * len(fills) + MOST_FILLS, dtype=FILL)
            longer[:count] = fills[:count]
            fills = longer
        before = count
        bar.funding_rate = funding[i] if len(funding) else 0.0
        start = detail_first[i] if len(detail_first) else 0
        stop = detail_first[i + 1] if len(detail_first) else 0
        for j in range(start, stop):
            if count + MOST_FILLS > len(fills):
                longer = np.empty(2 * len(fills) + MOST_FILLS, dtype=FILL)
                longer[:count] = fills[:count]
                fills = longer
            bar.open_time = detail_times[j]
            bar.open = detail_opens[j]
            bar.high = detail_highs[j]
            bar.low = detail_lows[j]
            bar.close = detail_closes[j]
            count = match(s, bar, r, c, 0.0, kindly, fills, count)
            bar.funding_rate = 0.0
        bar.open_time = times[i]
        bar.open = opens[i]
        bar.high = highs[i]
        bar.low = lows[i]
        bar.close = closes[i]
        if start == stop:
            count = match(s, bar, r, c, 0.0, kindly, fills, count)
        for k in range(before, count):
            fills[k].bar = i
        signal.says = says[i] & ~FUNDING
        signal.entry_kind = kinds[i] if len(kinds) else 0
        signal.entry_price = prices[i] if len(prices) else np.nan
        signal.entry_bars = validities[i] if len(validities) else 0
        signal.stop_price = stops[i] if len(stops) else np.nan
        signal.target_price = targets[i] if len(targets) else np.nan
        signal.session = sessions[i] if len(sessions) else -1
        no_entry = early if times[i] < trade_from_ms else MAY_ENTER
        reasons[i] = decide(s, signal, bar, r, c, no_entry, 0.0, 0.0)
        cash[i] = s.cash
        lots[i] = s.lots
        i += 1
    return fills, count


@compiled
def _next_event(s, rules, costs, i, last, times, highs, lows, says):
    """Return the first bar from *i* on at which something may happen to *s*."""
    if s.lots == 0:
        while i < last and not says[i] & _WAKES_FLAT:
            i += 1
        return i
    wakes = _WAKES_LONG if s.lots > 0 else _WAKES_SHORT
    low, high = _quiet_range(s, rules, costs)
    if rules.max_hold_ms > 0:
        until = s.entered_ms + rules.max_hold_ms
        while i < last and not (
            says[i] & wakes or lows[i] <= low or highs[i] >= high or times[i] >= until
        ):
            i += 1
        return i
    if low <= 0.0 and high == np.inf:
        while i < last and not says[i] & wakes:
            i += 1
        return i
    while i < last and not (says[i] & wakes or lows[i] <= low or highs[i] >= high):
        i += 1
    return i


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
def _sleep(s, start, stop, says, cash, lots, reasons):
    """Write down bars ``[start, stop)``, on which nothing happened to *s*."""
    for i in range(start, stop):
        cash[i] = s.cash
    for i in range(start, stop):
        lots[i] = s.lots
    if s.lots != 0:
        s.bars_held += stop - start
        for i in range(start, stop):
            reasons[i] = R_HOLD
        return
    for i in range(start, stop):
        reasons[i] = R_WARMING_UP if says[i] & NOT_READY else R_NO_SIGNAL


@compiled
def equity_curve(cash, lots, closes, lot_step):
    """Return ``cash + lots x lot_step x close`` of every bar."""
    equity = np.empty(len(cash), dtype=np.float64)
    for i in range(len(cash)):
        equity[i] = cash[i] + lots[i] * lot_step * closes[i]
    return equity
