"""Moving averages."""

import numpy as np
from numpy.typing import NDArray


def ema(values: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Return the exponential moving average of *values*.

    Parameters
    ----------
    values
        Shape ``(n,)``, oldest first, all finite.
    period
        Bars, at least 2.

    Returns
    -------
    Shape ``(n,)``; the first ``period - 1`` values are NaN, then the simple mean of the
    first *period* values, then ``E + 2 / (period + 1) * (X - E)``.

    Notes
    -----
    TA-Lib's EMA, which is seeded as charts do it.
    """
    if period < 2:
        raise ValueError(f"An average needs a period of at least 2 bars, not {period}.")
    if len(values) < period:
        return np.full(len(values), np.nan)
    # Half a second where pandas happens to be installed; only processes that compute pay for it.
    import talib  # noqa: PLC0415

    result: NDArray[np.float64] = talib.EMA(
        np.ascontiguousarray(values, dtype=np.float64), timeperiod=period
    )
    return result


def preload() -> None:
    """Import the library that computes the averages, so that the first of them takes no longer than the others."""
    import talib  # noqa: F401, PLC0415
