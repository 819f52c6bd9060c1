"""Oscillators: how fast a price moves, and which way."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from strategies.indicators.averages import ema

#: TA-Lib takes sums below 1e-14 for zero, which is a price change of a cheap coin after a quiet
#: day. Multiplied by a power of two every sum keeps all its bits, and only zero is zero.
_EXACT_SCALE: Final = 2.0**200


class Macd(NamedTuple):
    """The lines of a MACD, each of shape ``(n,)`` and NaN until it is defined."""

    line: NDArray[np.float64]
    signal: NDArray[np.float64]
    histogram: NDArray[np.float64]


def rsi(values: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Return Wilder's relative strength index of *values*, from 0 to 100.

    Parameters
    ----------
    values
        Shape ``(n,)``, oldest first, all finite.
    period
        Bars, at least 2.

    Returns
    -------
    Shape ``(n,)``; the first *period* values are NaN. 100 where nothing fell, 50 where nothing
    moved.

    Notes
    -----
    Wilder (1978), "New concepts in technical trading systems": gains G and losses L are averaged
    over the first *period* changes, then ``(previous * (period - 1) + new) / period``; the index is
    ``100 - 100 / (1 + G / L)``. Taken from TA-Lib's Chande oscillator over the same averages,
    ``100 (G - L) / (G + L)``, which says 0 where nothing moved; TA-Lib's own RSI then says 0 too.
    """
    if period < 2:
        raise ValueError(f"An RSI needs a period of at least 2 bars, not {period}.")
    if len(values) <= period:
        return np.full(len(values), np.nan)
    # Half a second where pandas happens to be installed; only processes that compute pay for it.
    import talib  # noqa: PLC0415

    scaled = np.ascontiguousarray(values, dtype=np.float64) * _EXACT_SCALE
    balance: NDArray[np.float64] = talib.CMO(scaled, timeperiod=period)
    return 50.0 + 0.5 * balance


def macd(values: NDArray[np.float64], fast: int, slow: int, signal: int) -> Macd:
    """Return the difference of two averages of *values*, its own average, and their difference.

    Parameters
    ----------
    values
        Shape ``(n,)``, oldest first, all finite.
    fast, slow, signal
        Periods in bars, at least 2, *fast* below *slow*.

    Returns
    -------
    ``line = EMA(fast) - EMA(slow)`` from bar ``slow - 1`` on; ``signal``, the EMA of the line from
    its first value on, and ``histogram = line - signal`` from bar ``slow + signal - 2`` on.

    Notes
    -----
    Each average is seeded with the mean of its own first period. TA-Lib's MACD begins the fast one
    later, and so differs at first.
    """
    if fast >= slow:
        raise ValueError(f"The fast period ({fast}) must be below the slow one ({slow}).")
    line = ema(values, fast) - ema(values, slow)
    smoothed = np.full(len(line), np.nan)
    smoothed[slow - 1 :] = ema(line[slow - 1 :], signal)
    return Macd(line, smoothed, line - smoothed)
