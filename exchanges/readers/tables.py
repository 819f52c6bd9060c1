"""What every reader returns, and how times of several units become milliseconds."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from exchanges.domain.checks import RowProblem
from market.candles import Candles

#: The columns of a candle file, in the order in which exchanges answer.
COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")

_EARLIEST_MS: Final = 10**11
_EARLIEST_US: Final = 10**14
_LATEST_US: Final = 10**17


@dataclass(frozen=True, slots=True)
class CandleTable:
    """The rows of a file as they stand there, checked for nothing but being numbers.

    ``first_row`` is the number that a person sees at the first bar: its line in a text file.
    """

    candles: Candles
    first_row: int


def to_milliseconds_column(times: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[RowProblem]]:
    """Return *times* in milliseconds, whether they are in milliseconds or in microseconds.

    Times in seconds, in nanoseconds or between two milliseconds are problems, all of them named.
    """
    is_us = (times >= _EARLIEST_US) & (times < _LATEST_US)
    problems = [
        RowProblem(
            int(index),
            "timestamp_in_seconds",
            f"{times[index]} looks like seconds; milliseconds are expected",
        )
        for index in np.flatnonzero((times >= 10**8) & (times < _EARLIEST_MS))
    ]
    problems += [
        RowProblem(
            int(index),
            "timestamp_out_of_range",
            f"{times[index]} is no time in milliseconds or microseconds",
        )
        for index in np.flatnonzero((times < 10**8) | (times >= _LATEST_US))
    ]
    problems += [
        RowProblem(int(index), "off_grid", f"{times[index]} lies between two milliseconds")
        for index in np.flatnonzero(is_us & (times % 1_000 != 0))
    ]
    problems.sort(key=lambda problem: problem.index)
    return np.where(is_us, times // 1_000, times), problems
