"""Falls from a running peak.

``equity`` is of shape ``(n,)``, quote currency, oldest first, ``n >= 1``; its first value is the
starting capital and is > 0, and so is every running peak.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Equity = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One fall: the index of its peak, of its deepest point, and of its recovery or the last."""

    peak: int
    trough: int
    end: int
    depth: float
    recovered: bool


def underwater(equity: Equity) -> NDArray[np.float64]:
    """Return at each point how far equity is below its peak, as a fraction of that peak, 0 or more.

    Magdon-Ismail & Atiya (2004), "Maximum drawdown", Risk 17(10).
    """
    result: NDArray[np.float64] = 1.0 - equity / np.maximum.accumulate(equity)
    return result


def max_drawdown(equity: Equity) -> float:
    """Return the largest fall from a running peak, as a fraction of that peak."""
    return float(np.max(underwater(equity)))


def drawdowns(equity: Equity) -> tuple[Drawdown, ...]:
    """Return every fall from a peak until it is reached again, oldest first."""
    depth = underwater(equity)
    below = np.concatenate([[False], depth > 0, [False]])
    starts = np.flatnonzero(~below[:-1] & below[1:])
    stops = np.flatnonzero(below[:-1] & ~below[1:])
    found = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        trough = start + int(np.argmax(depth[start:stop]))
        recovered = stop < len(equity)
        end = stop if recovered else len(equity) - 1
        found.append(Drawdown(start - 1, trough, end, float(depth[trough]), recovered))
    return tuple(found)


def ulcer_index(equity: Equity) -> float:
    """Return the root mean square of the drawdown, as a fraction.

    Martin & McCann (1989), "The Investor's Guide to Fidelity Funds".
    """
    return math.sqrt(float(np.mean(underwater(equity) ** 2)))


def time_under_water(equity: Equity) -> float:
    """Return the fraction of points that lie below an earlier peak."""
    return float(np.mean(underwater(equity) > 0))
