"""The compiled loops behind ``strategies.indicators.peaks``; imported by those who compute."""

import numpy as np
from numpy.typing import NDArray

from market.kernel.compiling import compiled

_NOTHING = -1


@compiled
def newest_peak(
    values: NDArray[np.float64], start: int, stop: int, before: int, minimum: float
) -> int:
    """Return the newest peak below index *before* in ``values[start:stop]``, -1 if there is none.

    A peak is higher than both its neighbors (the middle of a plateau, rounded down, stands for it)
    and has at least *minimum* prominence; neither end of the window is one.
    """
    right = min(before, stop - 1) - 1
    # A plateau may begin below *before* and reach past it.
    while right + 1 < stop - 1 and values[right + 1] == values[right]:
        right += 1
    while right > start:
        left = right
        while left > start and values[left - 1] == values[right]:
            left -= 1
        if left == start:
            return _NOTHING
        middle = (left + right) // 2
        if (
            middle < before
            and values[left - 1] < values[right]
            and values[right + 1] < values[right]
            and _prominence(values, start, stop, middle) >= minimum
        ):
            return middle
        right = left - 1
    return _NOTHING


@compiled
def _prominence(values: NDArray[np.float64], start: int, stop: int, peak: int) -> float:
    """Return the height of *peak* above the higher of the lowest values that part it from higher ones."""
    height = values[peak]
    lowest_left = height
    index = peak
    while index >= start and values[index] <= height:
        lowest_left = min(lowest_left, values[index])
        index -= 1
    lowest_right = height
    index = peak
    while index < stop and values[index] <= height:
        lowest_right = min(lowest_right, values[index])
        index += 1
    return float(height - max(lowest_left, lowest_right))


@compiled
def _divergent_peak(
    price: NDArray[np.float64],
    oscillator: NDArray[np.float64],
    start: int,
    stop: int,
    second: int,
    price_minimum: float,
    oscillator_minimum: float,
    max_offset: int,
) -> bool:
    """Tell whether *price* rose to its peak *second* from the one before, and *oscillator* fell."""
    first = newest_peak(price, start, stop, second, price_minimum)
    if first < 0 or price[second] <= price[first]:
        return False
    answer = newest_peak(oscillator, start, stop, second + 1, oscillator_minimum)
    if answer < 0 or second - answer > max_offset:
        return False
    earlier = newest_peak(oscillator, start, stop, min(first + 1, answer), oscillator_minimum)
    if earlier < 0 or first - earlier > max_offset:
        return False
    return bool(oscillator[answer] < oscillator[earlier])


@compiled
def divergences(
    close: NDArray[np.float64],
    oscillator: NDArray[np.float64],
    price_minimum: NDArray[np.float64],
    oscillator_minimum: float,
    lookback: int,
    max_age: int,
    max_offset: int,
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]:
    """Return where a divergence is first seen (1 bullish, -1 bearish), and the newest pivots.

    See ``strategies.indicators.peaks.divergences``; of the pivots their bars, -1 for none.
    """
    bars = len(close)
    seen = np.zeros(bars, dtype=np.int8)
    lows = np.full(bars, _NOTHING, dtype=np.int64)
    highs = np.full(bars, _NOTHING, dtype=np.int64)
    used_low = np.zeros(bars, dtype=np.bool_)
    used_high = np.zeros(bars, dtype=np.bool_)
    upside_down = -close
    reversed_oscillator = -oscillator
    for bar in range(lookback - 1, bars):
        start, stop = bar + 1 - lookback, bar + 1
        if np.isnan(oscillator[start]):
            continue
        minimum = price_minimum[bar]
        low = lows[bar] = newest_peak(upside_down, start, stop, stop, minimum)
        high = highs[bar] = newest_peak(close, start, stop, stop, minimum)
        bullish = (
            low >= 0
            and bar - low <= max_age
            and not used_low[low]
            and _divergent_peak(
                upside_down,
                reversed_oscillator,
                start,
                stop,
                low,
                minimum,
                oscillator_minimum,
                max_offset,
            )
        )
        bearish = (
            high >= 0
            and bar - high <= max_age
            and not used_high[high]
            and _divergent_peak(
                close, oscillator, start, stop, high, minimum, oscillator_minimum, max_offset
            )
        )
        if bullish and not (bearish and high >= low):
            seen[bar] = 1
            used_low[low] = True
        elif bearish and not (bullish and low >= high):
            seen[bar] = -1
            used_high[high] = True
    return seen, lows, highs
