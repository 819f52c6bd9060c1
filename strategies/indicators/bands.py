"""How far prices stray from their mean, and bands at that distance."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from strategies.indicators.windows import rolling_moments


class Bands(NamedTuple):
    """A middle line and the bands around it, each of shape ``(n,)``, NaN until it is defined."""

    lower: NDArray[np.float64]
    middle: NDArray[np.float64]
    upper: NDArray[np.float64]


def sample_deviation(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return the standard deviation of the newest *length* >= 2 *values*, as of a sample.

    Shape ``(n,)``; the squares are divided by ``length - 1``. NaN while there are fewer values.
    """
    if length < 2:
        raise ValueError(f"A sample deviation needs at least 2 bars, not {length}.")
    squares = rolling_moments(values, length).squares
    deviation: NDArray[np.float64] = np.sqrt(squares / (length - 1))
    return deviation


def bollinger(values: NDArray[np.float64], length: int, width: float) -> Bands:
    """Return the mean of the newest *length* *values*, and *width* population deviations around it.

    Shape ``(n,)``, oldest first; the first ``length - 1`` are NaN.
    """
    moments = rolling_moments(values, length)
    distance = width * np.sqrt(moments.squares / length)
    return Bands(moments.mean - distance, moments.mean, moments.mean + distance)
