"""Swings of a price, and where an oscillator does not follow them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from strategies.indicators.bands import sample_deviation


class Divergences(NamedTuple):
    """What the newest swings say at each bar, each of shape ``(n,)``.

    ``bullish`` and ``bearish`` are true at the bar at which a divergence is first seen; ``low`` and
    ``high`` are the closes of the newest pivots known then, NaN for none.
    """

    bullish: NDArray[np.bool_]
    bearish: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def divergences(
    close: NDArray[np.float64],
    oscillator: NDArray[np.float64],
    *,
    lookback: int,
    price_prominence: float,
    oscillator_prominence: float,
    max_age: int,
    max_offset: int,
) -> Divergences:
    """Return where *close* makes a new extreme that *oscillator* does not confirm.

    At each bar only the newest *lookback* bars are looked at. A pivot is a peak of the price (of
    its negative, for a low) that is high enough above the valleys that part it from higher prices:
    it counts from the bar on at which its right shoulder is deep enough, and so never in hindsight.
    A divergence is bullish if the newest low is below the low before it, while the oscillator's
    newest low up to it is above the one that belongs to the low before; bearish is its mirror
    image. Of two at one bar the one with the newer pivot counts, of two equally new ones none.

    Parameters
    ----------
    close, oscillator
        Shape ``(n,)``, oldest first; *oscillator* is NaN until it is defined.
    lookback
        Bars of the window, at least 3.
    price_prominence
        Least prominence of a price's pivot, in sample deviations of the closes of the window.
    oscillator_prominence
        Least prominence of an oscillator's pivot, in its own points.
    max_age
        For how many bars after a pivot a divergence may be seen; each pivot is used once.
    max_offset
        How many bars the oscillator's pivot may lie before the price's.

    Notes
    -----
    Prominence as topographers have it: the height of a peak less the higher of the two lowest
    points between it and the nearest higher sample, or the edge of the window, on each side.
    """
    # Compiled code costs a second to load; only processes that compute pay for it.
    from strategies.indicators import peaks_kernel  # noqa: PLC0415

    prices = np.ascontiguousarray(close, dtype=np.float64)
    seen, lows, highs = peaks_kernel.divergences(
        prices,
        np.ascontiguousarray(oscillator, dtype=np.float64),
        price_prominence * sample_deviation(prices, lookback),
        oscillator_prominence,
        lookback,
        max_age,
        max_offset,
    )
    return Divergences(seen > 0, seen < 0, _at(prices, lows), _at(prices, highs))


def preload() -> None:
    """Load the compiled code, so that the first divergences take no longer than the others."""
    from market.kernel.compiling import one_compiler  # noqa: PLC0415 - the compiler loads with it

    flat = np.ones(3)
    with one_compiler():
        divergences(
            flat,
            flat,
            lookback=3,
            price_prominence=1.0,
            oscillator_prominence=1.0,
            max_age=1,
            max_offset=1,
        )


def _at(values: NDArray[np.float64], indices: NDArray[np.int64]) -> NDArray[np.float64]:
    if not len(values):
        return np.empty(0)
    found: NDArray[np.float64] = np.where(indices < 0, np.nan, values[np.maximum(indices, 0)])
    return found
