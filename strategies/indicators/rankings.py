"""Many markets compared at each bar: change and volume of a day, range, rank; past gaps in their bars.

Arrays have shape ``(symbols, n)`` and are NaN where a market has no bar.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.timeframes import DAY_MS
from strategies.views import UniverseView


def day_change(view: UniverseView) -> NDArray[np.float64]:
    """Return each market's change over 24 hours as a fraction, shape ``(symbols, n)``.

    From the last close known a day before; NaN where a market has no bar, or had none by then.
    """
    before = _a_day_before(view)
    known = _last_known(view.close)[:, np.maximum(before, 0)]
    known[:, before < 0] = np.nan
    change: NDArray[np.float64] = view.close / known - 1
    return change


def day_volume(view: UniverseView) -> NDArray[np.float64]:
    """Return what was traded of each market within 24 hours, in quote, shape ``(symbols, n)``.

    Bars do not tell it exactly: it is their volume at the mean of high, low and close.
    """
    worth = np.nan_to_num(view.volume * (view.high + view.low + view.close) / 3)
    total = np.zeros((len(view.symbols), len(view) + 1))
    np.cumsum(worth, axis=1, out=total[:, 1:])
    volume: NDArray[np.float64] = total[:, 1:] - total[:, _a_day_before(view) + 1]
    return volume


def range_of(view: UniverseView, period_ms: int) -> NDArray[np.float64]:
    """Return the range of each market within *period_ms* up to each bar, as a fraction of its low."""
    starts = np.searchsorted(view.open_time, view.open_time - period_ms, side="right")
    low = _extreme(view.low, starts, np.fmin)
    fraction: NDArray[np.float64] = _extreme(view.high, starts, np.fmax) / low - 1
    return fraction


def ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return each market's place at each bar, 0 for the largest value; ties in their order."""
    order = np.argsort(-values, axis=0, kind="stable")
    ranks = np.empty_like(order)
    places = np.arange(len(values))[:, np.newaxis]
    np.put_along_axis(ranks, order, np.broadcast_to(places, order.shape), axis=0)
    return ranks


def _extreme(values: NDArray[np.float64], starts: NDArray[np.int64], pick: Any) -> Any:
    """Return the extreme of each row over bars ``[starts[i], i]`` at each bar i, past NaN.

    *pick* is ``np.fmin`` or ``np.fmax``; Any, because numpy's functions have no better type. Two
    overlapping blocks of the largest power of two that fits cover each stretch.
    """
    bars = np.arange(values.shape[1])
    length = bars - starts + 1
    result, blocks, size = np.full(values.shape, np.nan), values, 1
    while len(bars) and size <= length.max():
        fits = bars[(length >= size) & (length < 2 * size)]
        result[:, fits] = pick(blocks[:, starts[fits]], blocks[:, fits - size + 1])
        blocks = pick(blocks[:, :-size], blocks[:, size:])
        size *= 2
    return result


def _a_day_before(view: UniverseView) -> NDArray[np.int64]:
    """Return for each bar the last one that opened at least 24 hours before, or -1."""
    return np.searchsorted(view.open_time, view.open_time - DAY_MS, side="right") - 1


def _last_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return *values* with each NaN replaced by the last value before it, if there is one."""
    bars = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    np.maximum.accumulate(bars, axis=1, out=bars)
    return np.take_along_axis(values, bars, axis=1)
