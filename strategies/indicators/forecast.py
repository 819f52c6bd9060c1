"""How earlier trends went on, as bands in front of the present one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Forecast(NamedTuple):
    """One line for each percentile, shape ``(percentiles, n)``.

    ``bands`` holds at each bar the level that was forecast for it when its trend began, ``ends``
    at the first bar of each trend the level at the far end of its forecast; both NaN where nothing
    was forecast.
    """

    bands: NDArray[np.float64]
    ends: NDArray[np.float64]


def trend_forecast(
    close: NDArray[np.float64],
    trend: NDArray[np.float64],
    *,
    percents: Sequence[float],
    max_memory: int,
    forecast_length: int,
    memory_bars: int,
) -> Forecast:
    """Return at each bar what the memory of earlier trends told of it when its trend began.

    A trend is a run of bars on which *trend* has one sign; 0 ends it. The memory holds, for each
    direction and each number of bars since a trend began, how far the close then was from the first
    close of that trend. A forecast adds percentiles of these distances to the first close of a new
    trend: from its first bar on, as far as there are three samples, and up to *forecast_length*
    bars.

    Parameters
    ----------
    close, trend
        Shape ``(n,)``, oldest first; *trend* is NaN until it is defined.
    percents
        Percentiles to forecast, 0 to 100.
    max_memory
        Samples kept for each direction and number of bars, the newest ones, at least 1.
    forecast_length
        How many bars a forecast reaches at most, at least 1.
    memory_bars
        Trends that began longer ago are forgotten, so that a forecast does not depend on how
        early a history begins.

    Notes
    -----
    Causal: a trend enters the memory bar by bar, as its bars close. The one that is under way when
    *trend* becomes defined is not remembered, because nobody saw it begin.
    """
    # Compiled code costs a second to load; only processes that compute pay for it.
    from strategies.indicators import forecast_kernel  # noqa: PLC0415

    bands, ends = forecast_kernel.forecast(
        np.ascontiguousarray(close, dtype=np.float64),
        np.ascontiguousarray(trend, dtype=np.float64),
        max_memory,
        forecast_length,
        memory_bars,
        np.array(percents, dtype=np.float64),
    )
    return Forecast(bands, ends)


def preload() -> None:
    """Load the compiled code, so that the first forecast takes no longer than the others."""
    from market.kernel.compiling import one_compiler  # noqa: PLC0415 - the compiler loads with it

    flat = np.ones(2)
    with one_compiler():
        trend_forecast(flat, flat, percents=(50.0,), max_memory=1, forecast_length=1, memory_bars=1)
