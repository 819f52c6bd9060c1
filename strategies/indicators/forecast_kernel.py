"""The compiled loop behind ``strategies.indicators.forecast``; imported by those who compute."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.kernel.compiling import compiled

#: Fewer samples than this say nothing about the next run.
MINIMUM_SAMPLES: Final = 3


@compiled
def percentile_of_sorted(ascending: NDArray[np.float64], percent: float) -> float:
    """Return the percentile of *ascending*, at least one value: linear at rank (n - 1) p / 100."""
    rank = (len(ascending) - 1) * percent / 100.0
    below = int(rank)
    if below + 1 >= len(ascending):
        return float(ascending[-1])
    part = rank - below
    return float(ascending[below] + part * (ascending[below + 1] - ascending[below]))


@compiled
def forecast(
    close: NDArray[np.float64],
    trend: NDArray[np.float64],
    capacity: int,
    length: int,
    horizon: int,
    percents: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bands of each bar's own run, and where they end; see ``trend_forecast``."""
    bars = len(close)
    bands = np.full((len(percents), bars), np.nan)
    ends = np.full((len(percents), bars), np.nan)
    # Of each side (0 falls, 1 rises) and offset: a ring of the newest samples, and at which bar the
    # run of each began. Offsets past the length of a forecast are never asked for. The same samples
    # are kept in ascending order as well: one at a time finds its place sooner than all are sorted.
    samples = np.zeros((2, length + 1, capacity))
    ordered = np.zeros((2, length + 1, capacity))
    began = np.zeros((2, length + 1, capacity), dtype=np.int64)
    first = np.zeros((2, length + 1), dtype=np.int64)
    count = np.zeros((2, length + 1), dtype=np.int64)
    start = -1
    reach = -1
    for bar in range(1, bars):
        if np.isnan(trend[bar - 1]):
            # Nobody saw where the run that is already under way began.
            continue
        direction = np.sign(trend[bar])
        if direction != np.sign(trend[bar - 1]):
            start = bar if direction != 0 else -1
            reach = -1
            if start == bar:
                side = 1 if direction > 0 else 0
                reach = _reach(
                    samples[side],
                    ordered[side],
                    began[side],
                    first[side],
                    count[side],
                    bar - horizon,
                )
                if reach >= 0:
                    known = ordered[side, reach, : count[side, reach]]
                    _draw(ends, bar, close[bar], known, percents)
        if start < 0 or bar - start > length:
            continue
        side = 1 if direction > 0 else 0
        offset = bar - start
        if offset <= reach:
            known = ordered[side, offset, : count[side, offset]]
            _draw(bands, bar, close[start], known, percents)
        if count[side, offset] == capacity:
            _forget(samples[side, offset], ordered[side, offset], first[side], count[side], offset)
        slot = (first[side, offset] + count[side, offset]) % capacity
        samples[side, offset, slot] = close[bar] - close[start]
        _put(ordered[side, offset], count[side, offset], samples[side, offset, slot])
        began[side, offset, slot] = start
        count[side, offset] += 1
    return bands, ends


@compiled
def _draw(
    lines: NDArray[np.float64],
    bar: int,
    level: float,
    ascending: NDArray[np.float64],
    percents: NDArray[np.float64],
) -> None:
    for line in range(len(percents)):
        lines[line, bar] = level + percentile_of_sorted(ascending, percents[line])


@compiled
def _reach(
    samples: NDArray[np.float64],
    ordered: NDArray[np.float64],
    began: NDArray[np.int64],
    first: NDArray[np.int64],
    count: NDArray[np.int64],
    oldest: int,
) -> int:
    """Forget runs that began before *oldest*; return the last offset with samples enough, or -1."""
    reach = -1
    for offset in range(len(first)):
        while count[offset] and began[offset, first[offset]] < oldest:
            _forget(samples[offset], ordered[offset], first, count, offset)
        if count[offset] < MINIMUM_SAMPLES:
            break
        reach = offset
    return reach


@compiled
def _forget(
    samples: NDArray[np.float64],
    ordered: NDArray[np.float64],
    first: NDArray[np.int64],
    count: NDArray[np.int64],
    offset: int,
) -> None:
    """Take the oldest sample of *offset* out of its ring and out of the order."""
    gone = samples[first[offset]]
    first[offset] = (first[offset] + 1) % len(samples)
    count[offset] -= 1
    place = 0
    while ordered[place] < gone:
        place += 1
    for index in range(place, count[offset]):
        ordered[index] = ordered[index + 1]


@compiled
def _put(ordered: NDArray[np.float64], size: int, sample: float) -> None:
    """Put *sample* where it belongs among the first *size* of *ordered*."""
    place = size
    while place > 0 and ordered[place - 1] > sample:
        ordered[place] = ordered[place - 1]
        place -= 1
    ordered[place] = sample
