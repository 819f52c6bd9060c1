"""Measures of trades over a column of them, shape ``(n,)``; None where there are too few."""

import math

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64] | NDArray[np.int64]
Pnls = NDArray[np.float64]


def mean(values: Column) -> float | None:
    """Return the arithmetic mean."""
    return float(values.sum()) / len(values) if len(values) else None


def median(values: Column) -> float | None:
    """Return the middle value, or the mean of the middle two."""
    if not len(values):
        return None
    ordered = np.sort(values)
    middle = len(ordered) // 2
    return (float(ordered[middle]) + float(ordered[-middle - 1])) / 2


def largest(values: Column) -> float | None:
    """Return the largest value."""
    return float(values.max()) if len(values) else None


def smallest(values: Column) -> float | None:
    """Return the smallest value."""
    return float(values.min()) if len(values) else None


def win_rate(pnls: Pnls) -> float | None:
    """Return the fraction of trades that earned more than they cost."""
    return int(np.count_nonzero(pnls > 0)) / len(pnls) if len(pnls) else None


def payoff_ratio(pnls: Pnls) -> float | None:
    """Return the average win over the average loss.

    Tharp, "Trade Your Way to Financial Freedom", chapter 7.
    """
    won, lost = mean(pnls[pnls > 0]), mean(pnls[pnls < 0])
    return won / -lost if won is not None and lost is not None else None


def profit_factor(pnls: Pnls) -> float | None:
    """Return gross profit over gross loss; None without a loss.

    Pardo, "The Evaluation and Optimization of Trading Strategies", chapter 12.
    """
    lost = -float(pnls[pnls < 0].sum())
    return float(pnls[pnls > 0].sum()) / lost if lost > 0 else None


def system_quality_number(pnls: Pnls) -> float | None:
    """Return mean over sample standard deviation of PnL, times the root of the number of trades.

    Tharp, "The Definitive Guide to Position Sizing", chapter 2.
    """
    count = len(pnls)
    if count < 2:
        return None
    average = float(pnls.sum()) / count
    deviation = math.sqrt(float(np.square(pnls - average).sum()) / (count - 1))
    if deviation <= float(np.abs(pnls).max()) * 1e-14:
        return None
    return math.sqrt(count) * average / deviation


def kelly_fraction(pnls: Pnls) -> float | None:
    """Return the share of capital that grows fastest: win rate less loss rate over payoff.

    Kelly (1956), "A New Interpretation of Information Rate", Bell System Technical Journal 35(4).
    """
    rate, payoff = win_rate(pnls), payoff_ratio(pnls)
    return rate - (1 - rate) / payoff if rate is not None and payoff else None


def longest_streak(pnls: Pnls, *, winning: bool) -> int:
    """Return the longest run of consecutive wins, or of trades that did not win."""
    others = np.flatnonzero(pnls <= 0 if winning else pnls > 0)
    # Between two others lies a run of its own.
    return int(np.diff(np.concatenate([[-1], others, [len(pnls)]])).max()) - 1
