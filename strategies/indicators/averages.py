"""Moving averages."""

import numpy as np
from numpy.typing import NDArray

from strategies.indicators.windows import rolling_moments


def ema(values: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Return the exponential moving average of *values*.

    Parameters
    ----------
    values
        Shape ``(n,)``, oldest first, all finite.
    period
        Bars, at least 1.

    Returns
    -------
    Shape ``(n,)``; the first ``period - 1`` values are NaN, then the simple mean of the
    first *period* values, then ``E + 2 / (period + 1) * (X - E)``.

    Notes
    -----
    TA-Lib's EMA, which is seeded as charts do it.
    """
    if period < 1:
        raise ValueError(f"An average needs a period of at least 1 bar, not {period}.")
    if period == 1:
        # TA-Lib refuses the average that follows its input exactly.
        return np.array(values, dtype=np.float64)
    if len(values) < period:
        return np.full(len(values), np.nan)
    # Half a second where pandas happens to be installed; only processes that compute pay for it.
    import talib  # noqa: PLC0415

    result: NDArray[np.float64] = talib.EMA(
        np.ascontiguousarray(values, dtype=np.float64), timeperiod=period
    )
    return result


def sma(values: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Return the simple mean of the newest *period* >= 1 *values*.

    Shape ``(n,)``, oldest first; NaN while there are fewer values, and where one is undefined.
    """
    return rolling_moments(values, period).mean


def preload() -> None:
    """Import the library that computes the averages, so that the first of them takes no longer than the others."""
    import talib  # noqa: F401, PLC0415
