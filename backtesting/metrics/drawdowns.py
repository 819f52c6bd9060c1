"""Falls from a running peak.

``equity`` is of shape ``(n,)``, quote currency, oldest first, ``n >= 1``; its first value is the
starting capital and is > 0, and so is every running peak.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Equity = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Drawdowns:
    """Every fall from a peak until it is reached again, oldest first, as arrays of shape ``(k,)``.

    ``peak`` and ``end`` are indices into the curve: of the peak, and of its recovery or the last
    point; ``depth`` is the deepest point as a fraction of the peak. ``below`` is, at each point of
    the curve, how far it lies below its peak as a fraction; ``deepest_money`` the largest fall.
    """

    peak: Indices
    end: Indices
    depth: NDArray[np.float64]
    below: NDArray[np.float64]
    deepest_money: float

    def __len__(self) -> int:
        return len(self.peak)

    @property
    def max_depth(self) -> float:
        """The largest fall from a running peak, as a fraction of that peak."""
        return float(self.below.max())

    @property
    def under_water(self) -> float:
        """The fraction of points that lie below an earlier peak."""
        return int(np.count_nonzero(self.below)) / len(self.below)

    @property
    def ulcer_index(self) -> float:
        """The root mean square of the drawdown, as a fraction.

        Martin & McCann (1989), "The Investor's Guide to Fidelity Funds".
        """
        return math.sqrt(float(np.square(self.below).sum()) / len(self.below))


def underwater(equity: Equity) -> NDArray[np.float64]:
    """Return at each point how far equity is below its peak, as a fraction of that peak, 0 or more.

    Magdon-Ismail & Atiya (2004), "Maximum drawdown", Risk 17(10).
    """
    result: NDArray[np.float64] = 1.0 - equity / np.maximum.accumulate(equity)
    return result


def find_drawdowns(equity: Equity) -> Drawdowns:
    """Return every fall of *equity* from a peak; depths as for ``underwater``."""
    peaks = np.maximum.accumulate(equity)
    fallen = peaks - equity
    deepest_money = float(fallen.max())
    below = np.divide(fallen, peaks, out=fallen)
    is_below = below > 0
    edges = np.flatnonzero(is_below[1:] != is_below[:-1]) + 1
    # The curve begins at its peak, so the first edge goes down, and every second one up again.
    starts, ends = edges[::2], edges[1::2]
    if len(ends) < len(starts):
        ends = np.append(ends, len(equity) - 1)
    depth = np.maximum.reduceat(below, starts) if len(starts) else np.empty(0)
    return Drawdowns(starts - 1, ends, depth, below, deepest_money)
