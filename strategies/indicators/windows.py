"""Mean and spread of the newest bars, each value made from the bars of its window alone.

A running sum is faster by a little, but carries the rounding of everything before the window: the
same bars would then give other bits when a history begins earlier. Here windows grow by doubling:
two neighbors of m bars give one of 2 m, for all bars at once, so that a window of n bars takes
about log2(n) steps.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Moments(NamedTuple):
    """Of each window: its mean, and the sum of squared distances from that mean.

    Both of shape ``(n,)``; NaN where the window is not full, or holds an undefined value.
    """

    mean: NDArray[np.float64]
    squares: NDArray[np.float64]


class _Part(NamedTuple):
    """Windows of *length* bars; entry j is the window that begins at bar j."""

    length: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]


def rolling_moments(values: NDArray[np.float64], length: int) -> Moments:
    """Return the moments of the newest *length* of *values* at each bar.

    Parameters
    ----------
    values
        Shape ``(n,)``, oldest first; NaN where undefined.
    length
        Bars, at least 1.

    Notes
    -----
    Chan, Golub & LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample
    variances": two parts merge without ever squaring a price, so nothing cancels.
    """
    if length < 1:
        raise ValueError(f"A window needs at least 1 bar, not {length}.")
    if len(values) < length:
        undefined = np.full(len(values), np.nan)
        return Moments(undefined, undefined.copy())
    block = _Part(1, np.asarray(values, dtype=np.float64), np.zeros(len(values)))
    parts: list[_Part] = []
    for power in range(length.bit_length()):
        if power:
            block = _joined(block, block)
        if length & block.length:
            parts.append(block)
    window = reduce(_joined, parts)
    unfilled = np.full(length - 1, np.nan)
    # A single undefined value has no distance from itself either.
    squares = np.where(np.isnan(window.mean), np.nan, window.squares)
    return Moments(np.concatenate((unfilled, window.mean)), np.concatenate((unfilled, squares)))


def _joined(first: _Part, second: _Part) -> _Part:
    """Return the windows that consist of one of *first* and the one of *second* right after it."""
    length = first.length + second.length
    later = slice(first.length, None)
    ends = len(second.mean) - first.length
    difference = second.mean[later] - first.mean[:ends]
    mean = first.mean[:ends] + difference * (second.length / length)
    between = difference * difference * (first.length * second.length / length)
    return _Part(length, mean, first.squares[:ends] + second.squares[later] + between)
