"""Bars that are not there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from market.timeframes import Timeframe


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing bars: those that would open in ``[from_ms, to_ms)``, and how many they are."""

    from_ms: int
    to_ms: int
    missing: int


def find_gaps(open_time: NDArray[np.int64], timeframe: Timeframe) -> list[Gap]:
    """Return what is missing between the first and the last of *open_time*, which is increasing."""
    if timeframe is Timeframe.MO1:
        return _month_gaps(open_time)
    length = timeframe.milliseconds
    steps = np.diff(open_time)
    return [
        Gap(
            from_ms=int(open_time[index]) + length,
            to_ms=int(open_time[index + 1]),
            missing=int(steps[index]) // length - 1,
        )
        for index in np.flatnonzero(steps > length)
    ]


def _month_gaps(open_time: NDArray[np.int64]) -> list[Gap]:
    gaps = []
    for opened, following in zip(open_time[:-1].tolist(), open_time[1:].tolist(), strict=True):
        start = expected = Timeframe.MO1.close_of(opened)
        missing = 0
        while expected < following:
            expected = Timeframe.MO1.close_of(expected)
            missing += 1
        if missing:
            gaps.append(Gap(from_ms=start, to_ms=following, missing=missing))
    return gaps
