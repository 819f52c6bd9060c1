"""Fills gathered into trades: round trips from flat to flat. Compiled."""

from typing import Final

import numpy as np

from market.kernel.compiling import compiled, inlined
from market.kernel.memory import borrowed, prefetch
from market.kernel.records import EXIT_END_OF_DATA

# mypy: disable-error-code="no-untyped-def"

#: One trade; ``direction`` is 1 for long and -1 for short, fills are ``[first_fill, end_fill)``.
#: See ``backtesting.engine.results.Trade`` for the rest.
TRADE: Final = np.dtype(
    [
        ("direction", np.int64),
        ("entry_bar", np.int64),
        ("exit_bar", np.int64),
        ("entry_open_ms", np.int64),
        ("exit_open_ms", np.int64),
        ("first_fill", np.int64),
        ("end_fill", np.int64),
        ("lots", np.int64),
        ("closed_lots", np.int64),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("fees", np.float64),
        ("slippage", np.float64),
        ("funding", np.float64),
        ("pnl", np.float64),
        ("return_fraction", np.float64),
        ("adverse", np.float64),
        ("favorable", np.float64),
        ("exit_reason", np.int64),
        ("is_ambiguous", np.int64),
    ]
)

#: How many fills before its own a bar is asked for.
_FILLS_AHEAD: Final = 6


@compiled
def gather(fills, bars, funding, tick_size, lot_step, looks_back):
    """Return the trades that *fills* make, a TRADE array; one still open is marked at the end.

    *bars* are ``(times, opens, highs, lows, closes)``; *funding* is empty or has the rate of each.
    How far prices went in between is left out, as 0, unless it *looks_back*.
    """
    fills, bars, funding = borrowed(fills), borrowed(bars), borrowed(funding)
    times, opens, highs, lows, closes = bars
    trades = np.zeros(_count(fills), dtype=TRADE)
    count, held, at = 0, 0, 0
    entry_worth, exit_worth = 0.0, 0.0
    for k in range(len(fills)):
        if k + _FILLS_AHEAD < len(fills):
            _fetch_ahead(bars, fills[k + _FILLS_AHEAD].bar)
        fill = fills[k]
        signed = fill.side * fill.lots
        if held == 0:
            trade = trades[count]
            at = count
            count += 1
            trade.direction = 1 if signed > 0 else -1
            trade.entry_bar = fill.bar
            trade.entry_open_ms = fill.open_time
            trade.first_fill = k
            entry_worth, exit_worth = 0.0, 0.0
        trade = trades[at]
        if (signed > 0) == (trade.direction > 0):
            trade.lots += fill.lots
            entry_worth += float(fill.lots) * fill.price_ticks
        else:
            trade.closed_lots += fill.lots
            exit_worth += float(fill.lots) * fill.price_ticks
            trade.exit_reason = fill.exit_reason
        trade.fees += fill.fee
        trade.slippage += fill.slippage
        trade.is_ambiguous |= fill.is_ambiguous
        trade.end_fill = k + 1
        trade.exit_bar = fill.bar
        held += signed
        if held == 0 or k == len(fills) - 1:
            mark = 0.0
            if held != 0:
                last = len(closes) - 1
                mark = abs(held) * closes[last]
                trade.exit_bar = last
                trade.exit_reason = EXIT_END_OF_DATA
            trade.exit_open_ms = times[trade.exit_bar]
            _value(trade, entry_worth * tick_size, exit_worth * tick_size + mark, lot_step)
            _pay_funding(trade, fills, opens, funding, lot_step)
            if looks_back:
                _look_back(trade, fills, opens, highs, lows, closes, tick_size)
    return trades


@inlined
def _fetch_ahead(bars, i):
    """Have bar *i* at hand by the time that it is needed: the bars of fills lie far apart."""
    times, opens, highs, lows, closes = bars
    prefetch(times, i)
    prefetch(opens, i)
    prefetch(highs, i)
    prefetch(lows, i)
    prefetch(closes, i)


@inlined
def _count(fills):
    """Return how many trades *fills* make."""
    count, held = 0, 0
    for k in range(len(fills)):
        count += held == 0
        held += fills[k].side * fills[k].lots
    return count


@inlined
def _value(trade, entry_worth, exit_worth, lot_step):
    trade.entry_price = entry_worth / trade.lots
    trade.exit_price = exit_worth / trade.lots
    gained = trade.exit_price - trade.entry_price
    trade.pnl = trade.direction * trade.lots * lot_step * gained - trade.fees


@inlined
def _pay_funding(trade, fills, opens, funding, lot_step):
    if len(funding):
        held, k = 0, trade.first_fill
        for i in range(trade.entry_bar + 1, trade.exit_bar + 1):
            while k < trade.end_fill and fills[k].bar < i:
                held += fills[k].side * fills[k].lots
                k += 1
            if funding[i] != 0.0:
                trade.funding += held * lot_step * opens[i] * funding[i]
    trade.pnl -= trade.funding
    trade.return_fraction = trade.pnl / (trade.lots * lot_step * trade.entry_price)


@inlined
def _look_back(trade, fills, opens, highs, lows, closes, tick_size):
    """Find how far the price went against and for *trade*, as fractions of its entry price.

    Of the bar of an entry in the middle only the close surely came after it, of the bar in which
    the trade ends only the open surely came before its end.
    """
    lowest, highest = np.inf, -np.inf
    for k in range(trade.first_fill, trade.end_fill):
        price = fills[k].price_ticks * tick_size
        lowest, highest = min(lowest, price), max(highest, price)
    from_open = fills[trade.first_fill].at_open
    is_open = trade.closed_lots < trade.lots
    end = trade.exit_bar + 1 if is_open else trade.exit_bar
    start = trade.entry_bar
    if not from_open and start < end:
        lowest, highest = min(lowest, closes[start]), max(highest, closes[start])
        start += 1
    # Parts and two columns side by side: the compiler sees that no index is below 0.
    lows, highs = lows[start:end], highs[start:end]
    for i in range(len(lows)):
        lowest = min(lowest, lows[i])
        highest = max(highest, highs[i])
    if not is_open and (from_open or trade.exit_bar > trade.entry_bar):
        lowest = min(lowest, opens[trade.exit_bar])
        highest = max(highest, opens[trade.exit_bar])
    falls = (trade.entry_price - lowest) / trade.entry_price
    rises = (highest - trade.entry_price) / trade.entry_price
    trade.adverse = max(falls if trade.direction > 0 else rises, 0.0)
    trade.favorable = max(rises if trade.direction > 0 else falls, 0.0)
