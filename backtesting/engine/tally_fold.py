"""Many runs over the same bars, each reduced to a few numbers as soon as it is done. Compiled.

The runs are those of ``backtesting.engine.fold``: what is left out here is only what nobody keeps.
"""

from typing import Final

import numpy as np

from backtesting.engine.fold import marks_of, run
from backtesting.engine.roundtrips import gather
from market.kernel.compiling import compiled
from market.kernel.memory import borrowed
from market.kernel.records import FILL, STATE
from strategies.kernel import DESK

# mypy: disable-error-code="no-untyped-def"

#: What one run came to: equity at the last close, the deepest fall from a peak as a fraction of it,
#: how many bars ended with a position, and of its closed trades how many there are, how many won,
#: what those that won and that lost brought and all together; fees of all trades, in quote.
TALLY: Final = np.dtype(
    [
        ("final_equity", np.float64),
        ("deepest", np.float64),
        ("bars_invested", np.int64),
        ("trades", np.int64),
        ("won", np.int64),
        ("gained", np.float64),
        ("lost", np.float64),
        ("earned", np.float64),
        ("fees", np.float64),
    ]
)

#: Falls are compared with a margin before they are divided: a division too many costs a moment.
_MARGIN: Final = 1e-12
#: How many bars are looked at together for one that is a new peak or a deeper fall.
_BARS_AT_ONCE: Final = 32
#: Up to how many numbers are added without halves, as numpy does it.
_BLOCK: Final = 128
#: More halvings than any number of trades has.
_DEEPEST: Final = 64


@compiled
def tally_all(
    fresh, bars, funding, says, entries, rules, costs, starts, early, detail, ends, first_ends,
    tallies, levels,
):  # fmt: skip
    """Run all *rules* over the same bars, and write down what each of the runs came to.

    Parameters
    ----------
    fresh
        The state that every run begins with, a STATE array of shape ``(1,)``.
    bars, funding, entries, costs, early, detail
        As ``fold.run`` takes them.
    says
        A row for each run, ``(runs, n)``, or one for all of them, ``(1, n)``.
    rules
        A record for each run, ``(runs,)``.
    starts
        The first bar at which each run may decide on a position; *early* is why none is before.
    ends, first_ends
        Bars after which equity is written into a row of *levels*, ascending, and which of them is
        the first one of each run.
    tallies, levels
        Outputs of shape ``(runs,)``, TALLY, and ``(runs, len(ends) + 1)``; before the place of its
        first end each row has the capital.
    """
    # Threads that count references to the same bars would wait for one another.
    bars, entries, detail = borrowed(bars), borrowed(entries), borrowed(detail)
    says, funding, rules = borrowed(says), borrowed(funding), borrowed(rules)
    times, lot_step = bars[0], costs[0].lot_step
    count = len(times)
    equity = np.empty(count, dtype=np.float64)
    reasons = np.empty(count, dtype=np.uint8)
    fills = np.empty(256, dtype=FILL)
    state, desk = np.empty(1, dtype=STATE), np.zeros(1, dtype=DESK)
    marks = marks_of(says[0])
    for j in range(len(rules)):
        state[0] = fresh[0]
        row = says[j if len(says) > 1 else 0]
        if j > 0 and len(says) > 1:
            marks = marks_of(row)
        start = starts[j]
        fills, filled = run(
            state, desk, bars, funding, row, marks, entries, rules[j : j + 1], costs, times[start],
            early, False, True, detail, 0, count, equity, reasons, fills, 0,
        )  # fmt: skip
        trades = gather(fills[:filled], bars, funding, costs[0].tick_size, lot_step, False)
        _course(tallies[j], levels[j], equity, start, ends, first_ends[j], fresh[0].capital)
        tallies[j].bars_invested = _bars_invested(fills, filled, start, count)
        _results(tallies[j], trades)


@compiled
def _course(tally, levels, equity, start, ends, first_end, capital):
    """Follow *equity* from bar *start* on: its end, its deepest fall, its *levels* at *ends*."""
    count = len(equity)
    peak, deepest, worst = capital, 0.0, 0.0
    i = start
    while i < count:
        stop = min(i + _BARS_AT_ONCE, count)
        stirs = False
        for k in range(i, stop):
            stirs |= (equity[k] > peak) | (peak - equity[k] > worst)
        if not stirs:
            i = stop
            continue
        while i < stop:
            level = equity[i]
            if peak - level > worst:
                deepest = max(deepest, (peak - level) / peak)
                worst = deepest * peak * (1 - _MARGIN)
            elif level > peak:
                peak = level
                worst = deepest * peak * (1 - _MARGIN)
            i += 1
    levels[: first_end + 1] = capital
    for at in range(first_end, len(ends)):
        levels[at + 1] = equity[ends[at]]
    tally.final_equity = equity[count - 1] if start < count else capital
    tally.deepest = deepest


@compiled
def _bars_invested(fills, filled, start, count):
    """Return how many of the bars from *start* to *count* ended with what *fills* had opened."""
    invested, held = 0, 0
    for k in range(filled):
        held += fills[k].side * fills[k].lots
        until = fills[k + 1].bar if k + 1 < filled else count
        if held != 0:
            invested += max(until - max(fills[k].bar, start), 0)
    return invested


@compiled
def _results(tally, trades):
    """Add up what *trades* brought, in the order in which numpy adds columns up."""
    pnl = np.empty(len(trades), dtype=np.float64)
    won, lost = np.empty(len(trades), dtype=np.float64), np.empty(len(trades), dtype=np.float64)
    fees = np.empty(len(trades), dtype=np.float64)
    closed, wins, losses = 0, 0, 0
    for k in range(len(trades)):
        trade = trades[k]
        fees[k] = trade.fees
        if trade.closed_lots < trade.lots:
            continue
        pnl[closed] = trade.pnl
        closed += 1
        if trade.pnl > 0.0:
            won[wins] = trade.pnl
            wins += 1
        elif trade.pnl < 0.0:
            lost[losses] = trade.pnl
            losses += 1
    tally.trades = closed
    tally.won = wins
    tally.gained = sum_of(won, wins)
    tally.lost = sum_of(lost, losses)
    tally.earned = sum_of(pnl, closed)
    tally.fees = sum_of(fees, len(trades))


@compiled
def sum_of(values, count):
    """Return the sum of the first *count* values, rounded on the way as ``numpy.sum`` does.

    Pairwise summation; Higham (1993), "The Accuracy of Floating Point Summation", SIAM Journal on
    Scientific Computing 14(4).
    """
    firsts, counts = np.zeros(_DEEPEST, dtype=np.int64), np.zeros(_DEEPEST, dtype=np.int64)
    lefts, done = np.zeros(_DEEPEST), np.zeros(_DEEPEST, dtype=np.int64)
    counts[0] = count
    total, depth = 0.0, 0
    # Halves of halves, by a list of what is under way: a function that calls itself is not kept.
    while depth >= 0:
        if counts[depth] <= _BLOCK:
            total = _sum_of_block(values, firsts[depth], counts[depth])
            depth -= 1
            continue
        half = counts[depth] // 2
        half -= half % 8
        done[depth] += 1
        if done[depth] == 3:
            total += lefts[depth]
            depth -= 1
            continue
        if done[depth] == 1:
            firsts[depth + 1], counts[depth + 1] = firsts[depth], half
        else:
            lefts[depth] = total
            firsts[depth + 1], counts[depth + 1] = firsts[depth] + half, counts[depth] - half
        depth += 1
        done[depth] = 0
    return total


@compiled
def _sum_of_block(values, first, count):
    """Return the sum of *count* values from *first* on, with eight sums side by side."""
    if count < 8:
        total = 0.0
        for i in range(first, first + count):
            total += values[i]
        return total
    a, b, c, d = values[first], values[first + 1], values[first + 2], values[first + 3]
    e, f, g, h = values[first + 4], values[first + 5], values[first + 6], values[first + 7]
    whole = count - count % 8
    for i in range(first + 8, first + whole, 8):
        a += values[i]
        b += values[i + 1]
        c += values[i + 2]
        d += values[i + 3]
        e += values[i + 4]
        f += values[i + 5]
        g += values[i + 6]
        h += values[i + 7]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(first + whole, first + count):
        total += values[i]
    return total
