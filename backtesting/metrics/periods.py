"""Equity by calendar: the last value of each UTC day and month, and the returns between them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtesting.metrics.returns import DAYS_PER_YEAR
from market.timeframes import DAY_MS, Timeframe, from_milliseconds

_MONTHS = 12


class PeriodReturns(NamedTuple):
    """Returns of consecutive periods, and how many of them make a year."""

    values: NDArray[np.float64]
    per_year: float


class MonthlyReturns(NamedTuple):
    """The returns of one calendar year, January first; None for a month without data."""

    year: int
    months: tuple[float | None, ...]
    total: float


def period_returns(
    open_time: NDArray[np.int64], values: NDArray[np.float64], first: float, timeframe: Timeframe
) -> PeriodReturns:
    """Return daily returns, or returns per bar where bars are longer than a day.

    *values* are at the close of the bars that open at *open_time*, *first* is the value before
    them; a day without bars returns 0. Empty where a value is not above 0: a return on nothing is
    undefined.
    """
    if timeframe.milliseconds > DAY_MS:
        is_month = timeframe is Timeframe.MO1
        per_year = _MONTHS if is_month else DAYS_PER_YEAR * DAY_MS / timeframe.milliseconds
        ends = values
    else:
        per_year = DAYS_PER_YEAR
        ends = _last_of_each_day(open_time, values)
    levels = np.concatenate([[first], ends])
    if not len(ends) or not np.all(levels > 0):
        return PeriodReturns(np.empty(0), per_year)
    return PeriodReturns(levels[1:] / levels[:-1] - 1, per_year)


def monthly_returns(
    open_time: NDArray[np.int64], values: NDArray[np.float64], first: float
) -> tuple[MonthlyReturns, ...]:
    """Return a table of calendar months, oldest year first; arguments as for ``period_returns``."""
    if not len(values) or first <= 0 or not np.all(values > 0):
        return ()
    # The last day of a month comes last and stays.
    ends = dict(_day_ends(open_time, values))
    years: dict[int, list[float | None]] = {}
    totals: dict[int, float] = {}
    previous = first
    for (year, month), value in ends.items():
        months = years.setdefault(year, [None] * _MONTHS)
        change = value / previous
        months[month - 1] = change - 1
        totals[year] = totals.get(year, 1.0) * change
        previous = value
    return tuple(
        MonthlyReturns(year, tuple(months), totals[year] - 1) for year, months in years.items()
    )


def all_months(table: Sequence[MonthlyReturns]) -> list[float]:
    """Return the months of *table* that have data, oldest first."""
    return [value for year in table for value in year.months if value is not None]


def _last_of_each_day(
    open_time: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    if not len(values):
        return values
    days = open_time // DAY_MS
    every_day = np.arange(days[0], days[-1] + 1)
    # The last bar that opened on or before each day: a day without bars keeps the value of the one
    # before.
    index = np.searchsorted(days, every_day, side="right") - 1
    result: NDArray[np.float64] = values[index]
    return result


def _day_ends(
    open_time: NDArray[np.int64], values: NDArray[np.float64]
) -> list[tuple[tuple[int, int], float]]:
    days = open_time // DAY_MS
    last_of_day = np.flatnonzero(np.concatenate([days[1:] != days[:-1], [True]]))
    found = []
    for index in last_of_day.tolist():
        at = from_milliseconds(int(open_time[index]))
        found.append(((at.year, at.month), float(values[index])))
    return found
