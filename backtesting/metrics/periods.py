"""Values by calendar: the last one of each UTC day and month, and the returns between them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtesting.metrics.returns import DAYS_PER_YEAR, Sample
from market.timeframes import DAY_MS, Timeframe

_MONTHS = 12
_EPOCH_YEAR = 1970

Indices = NDArray[np.int64]


class MonthlyReturns(NamedTuple):
    """The returns of one calendar year, January first; None for a month without data."""

    year: int
    months: tuple[float | None, ...]
    total: float


def periods_per_year(timeframe: Timeframe) -> float:
    """Return how many returns make a year: of days, or of bars where those are longer."""
    if timeframe is Timeframe.MO1:
        return _MONTHS
    return DAYS_PER_YEAR * DAY_MS / max(timeframe.milliseconds, DAY_MS)


def period_ends(open_time: NDArray[np.int64], timeframe: Timeframe) -> Indices:
    """Return the index of the last bar of each UTC day, or of each bar where bars are longer.

    *open_time* ascends, in milliseconds; a day without bars repeats the bar before it.
    """
    if timeframe.milliseconds > DAY_MS or not len(open_time):
        return np.arange(len(open_time), dtype=np.int64)
    first, last = int(open_time[0]) // DAY_MS, int(open_time[-1]) // DAY_MS
    midnights = np.arange(first + 1, last + 2, dtype=np.int64) * DAY_MS
    return np.searchsorted(open_time, midnights) - 1


def period_returns(
    ends: Indices, values: NDArray[np.float64], first: float, timeframe: Timeframe
) -> Sample:
    """Return the returns between the *values* at *ends*, as ``period_ends`` found them.

    *values* are at the close of bars, *first* is the value before them. Empty where a value is not
    above 0: a return on nothing is undefined.
    """
    levels = np.empty(len(ends) + 1)
    levels[0] = first
    levels[1:] = values[ends]
    if len(levels) < 2 or levels.min() <= 0:
        return Sample(np.empty(0), periods_per_year(timeframe))
    return Sample(levels[1:] / levels[:-1] - 1, periods_per_year(timeframe))


def monthly_returns(
    open_time: NDArray[np.int64], values: NDArray[np.float64], first: float
) -> tuple[MonthlyReturns, ...]:
    """Return a table of calendar months, oldest year first; arguments as for ``period_returns``.

    Empty where a value is not above 0.
    """
    if not len(values) or first <= 0 or values.min() <= 0:
        return ()
    outer = open_time[[0, -1]].astype("datetime64[ms]").astype("datetime64[M]")
    months = np.arange(outer[0], outer[1] + 1)
    turns = (months + 1).astype("datetime64[ms]").astype(np.int64)
    ends = np.searchsorted(open_time, turns) - 1
    has_bars = np.diff(ends, prepend=-1) > 0
    levels = np.concatenate([[first], values[ends[has_bars]]])
    changes = levels[1:] / levels[:-1]
    years: dict[int, list[float | None]] = {}
    totals: dict[int, float] = {}
    numbers = months[has_bars].astype(np.int64).tolist()
    for number, change in zip(numbers, changes.tolist(), strict=True):
        year, month = _EPOCH_YEAR + number // _MONTHS, number % _MONTHS
        years.setdefault(year, [None] * _MONTHS)[month] = change - 1
        totals[year] = totals.get(year, 1.0) * change
    return tuple(
        MonthlyReturns(year, tuple(of_year), totals[year] - 1) for year, of_year in years.items()
    )


def all_months(table: Sequence[MonthlyReturns]) -> list[float]:
    """Return the months of *table* that have data, oldest first."""
    return [value for year in table for value in year.months if value is not None]
