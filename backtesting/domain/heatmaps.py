"""Two parameters of a sweep against each other: the best that was found for each pair of values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.searches import Value
from backtesting.domain.trials import Trials

#: More rows or columns are not readable; neighboring values are joined then.
MAXIMUM_STEPS: Final = 16


@dataclass(frozen=True, slots=True)
class Band:
    """One row or column: the values from ``low`` to ``high``, which are equal if it is one."""

    low: Value
    high: Value


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """``best[row, column]`` is the index of the best trial of a cell, -1 where there is none.

    ``scores`` has the same shape: what that trial scored, more is better, NaN where there is none.
    """

    rows: Sequence[Band]
    columns: Sequence[Band]
    best: NDArray[np.int64]
    scores: NDArray[np.float64]


def heat_map(
    trials: Trials,
    scores: NDArray[np.float64],
    *,
    down: str,
    across: str,
    fixed: Mapping[str, Value],
) -> HeatMap:
    """Return the best of *trials* by *scores* for the values of two parameters.

    *fixed* leaves only trials with those values of other parameters; of the rest the best counts.
    """
    keeps = np.ones(len(trials), dtype=np.bool_)
    for name, value in fixed.items():
        keeps &= np.array([each == value for each in trials.values(name)], dtype=np.bool_)
    rows, row_of = _bands(trials.values(down))
    columns, column_of = _bands(trials.values(across))
    best = np.full((len(rows), len(columns)), -1, dtype=np.int64)
    found = np.full(best.shape, np.nan)
    # From the worst to the best and from the last to the first, so that what is written last counts.
    usable = np.flatnonzero(keeps & ~np.isnan(scores))
    order = usable[np.lexsort((-usable, scores[usable]))]
    best[row_of[order], column_of[order]] = order
    found[row_of[order], column_of[order]] = scores[order]
    return HeatMap(rows, columns, best, found)


def levels(scores: NDArray[np.float64], *, count: int) -> NDArray[np.int64]:
    """Return for each score in which of *count* equal steps from the least to the most it lies.

    -1 where there is none; the middle step if all are equal.
    """
    if np.isnan(scores).all():
        return np.full(scores.shape, -1, dtype=np.int64)
    low, high = float(np.nanmin(scores)), float(np.nanmax(scores))
    if high == low:
        return np.where(np.isnan(scores), -1, count // 2).astype(np.int64)
    part = np.nan_to_num((scores - low) / (high - low))
    steps = np.minimum((part * count).astype(np.int64), count - 1)
    return np.where(np.isnan(scores), -1, steps)


def _bands(values: Sequence[Value]) -> tuple[Sequence[Band], NDArray[np.int64]]:
    """Return the bands of an axis in order, and in which of them each value lies."""
    distinct = sorted(set(values), key=_order)
    count = min(len(distinct), MAXIMUM_STEPS)
    edges = np.linspace(0, len(distinct), count + 1).astype(np.int64).tolist()
    bands = [Band(distinct[start], distinct[stop - 1]) for start, stop in pairwise(edges)]
    band_of = {
        value: number
        for number, (start, stop) in enumerate(pairwise(edges))
        for value in distinct[start:stop]
    }
    return bands, np.array([band_of[value] for value in values], dtype=np.int64)


def _order(value: Value) -> tuple[bool, str, float]:
    """Return by what values are put in order: numbers by size, texts by letters."""
    if isinstance(value, str):
        return True, value, 0.0
    return False, "", float(value)
