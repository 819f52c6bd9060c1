"""The few metrics that trials of a sweep keep, of many runs at once, without their courses.

Each is the one of the same name in ``compute_metrics``, to the last bit.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.engine.tallies import Tallies
from backtesting.metrics import returns
from market.timeframes import DAY_MS

_YEAR_MS: Final = returns.DAYS_PER_YEAR * DAY_MS

Column = NDArray[np.float64]


def tallied_metrics(
    tallies: Tallies,
    *,
    capital: float,
    durations_ms: NDArray[np.int64],
    bars: NDArray[np.int64],
    skipped_levels: NDArray[np.int64],
    per_year: float,
) -> Mapping[str, Column]:
    """Return metrics by their keys in the catalogue, each of shape ``(runs,)``, NaN for None.

    Parameters
    ----------
    capital
        What every run began with.
    durations_ms, bars
        How long the window of each run was from its first bar on, in milliseconds and in bars.
    skipped_levels
        How many of the levels lie before each run.
    per_year
        How many returns between levels make a year.
    """
    runs = tallies.runs
    total = runs["final_equity"] / capital - 1
    growth = np.array(
        [
            _or_nan(returns.annual_growth(each, duration / _YEAR_MS))
            for each, duration in zip(total.tolist(), durations_ms.tolist(), strict=True)
        ]
    )
    sharpe, sortino = _ratios(tallies.levels, skipped_levels, per_year)
    deepest, trades = runs["deepest"], runs["trades"]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        columns = {
            "final_equity": runs["final_equity"],
            "total_return": total,
            "cagr": growth,
            "sharpe": sharpe,
            "sortino": sortino,
            "calmar": np.where(deepest != 0, growth / deepest, np.nan),
            "max_drawdown": deepest,
            "profit_factor": np.where(runs["lost"] < 0, runs["gained"] / -runs["lost"], np.nan),
            "expectancy": np.where(trades > 0, runs["earned"] / trades, np.nan),
            "win_rate": np.where(trades > 0, runs["won"] / trades, np.nan),
            "trades": trades.astype(np.float64),
            "exposure": runs["bars_invested"] / bars,
            "fees": runs["fees"],
        }
    return {key: np.where(np.isfinite(column), column, np.nan) for key, column in columns.items()}


def _ratios(
    levels: NDArray[np.float64], skipped: NDArray[np.int64], per_year: float
) -> tuple[Column, Column]:
    """Return Sharpe and Sortino ratio of each row of *levels* from its own first one on."""
    sharpe, sortino = np.full(len(levels), np.nan), np.full(len(levels), np.nan)
    # Rows of one length are added up together: sums depend on how many numbers there are.
    for count in np.unique(skipped).tolist():
        rows = np.flatnonzero(skipped == count)
        part = levels[rows, count:]
        rows, part = rows[part.min(axis=1) > 0], part[part.min(axis=1) > 0]
        periods = part.shape[1] - 1
        if periods < 2:
            continue
        values = part[:, 1:] / part[:, :-1] - 1
        mean = values.sum(axis=1) / periods
        centered = values - mean[:, np.newaxis]
        deviation = np.sqrt((centered * centered).sum(axis=1) / (periods - 1))
        below = np.minimum(values, 0.0)
        downside = np.sqrt((below * below).sum(axis=1) / periods)
        root = math.sqrt(per_year)
        with np.errstate(divide="ignore", invalid="ignore"):
            sharpe[rows] = np.where(deviation >= returns.NOISE, mean / deviation * root, np.nan)
            sortino[rows] = np.where(downside >= returns.NOISE, mean / downside * root, np.nan)
    return sharpe, sortino


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
