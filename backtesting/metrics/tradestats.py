"""Measures of a list of trades, over their net PnL in quote; None where there are too few."""

import math
from collections.abc import Sequence

import numpy as np


def win_rate(pnls: Sequence[float]) -> float | None:
    """Return the fraction of trades that earned more than they cost."""
    return sum(pnl > 0 for pnl in pnls) / len(pnls) if pnls else None


def mean(values: Sequence[float]) -> float | None:
    """Return the arithmetic mean."""
    return math.fsum(values) / len(values) if values else None


def median(values: Sequence[float]) -> float | None:
    """Return the middle value, or the mean of the middle two."""
    return float(np.median(values)) if values else None


def payoff_ratio(pnls: Sequence[float]) -> float | None:
    """Return the average win over the average loss.

    Tharp, "Trade Your Way to Financial Freedom", chapter 7.
    """
    won, lost = mean([pnl for pnl in pnls if pnl > 0]), mean([pnl for pnl in pnls if pnl < 0])
    return won / -lost if won is not None and lost is not None else None


def profit_factor(pnls: Sequence[float]) -> float | None:
    """Return gross profit over gross loss; None without a loss.

    Pardo, "The Evaluation and Optimization of Trading Strategies", chapter 12.
    """
    lost = -math.fsum(pnl for pnl in pnls if pnl < 0)
    return math.fsum(pnl for pnl in pnls if pnl > 0) / lost if lost > 0 else None


def system_quality_number(pnls: Sequence[float]) -> float | None:
    """Return mean over sample standard deviation of PnL, times the root of the number of trades.

    Tharp, "The Definitive Guide to Position Sizing", chapter 2.
    """
    if len(pnls) < 2:
        return None
    deviation = float(np.std(pnls, ddof=1))
    scale = max(abs(pnl) for pnl in pnls)
    if deviation <= scale * 1e-14:
        return None
    return math.sqrt(len(pnls)) * float(np.mean(pnls)) / deviation


def kelly_fraction(pnls: Sequence[float]) -> float | None:
    """Return the share of capital that grows fastest: win rate less loss rate over payoff.

    Kelly (1956), "A New Interpretation of Information Rate", Bell System Technical Journal 35(4).
    """
    rate, payoff = win_rate(pnls), payoff_ratio(pnls)
    return rate - (1 - rate) / payoff if rate is not None and payoff else None


def longest_streak(pnls: Sequence[float], *, winning: bool) -> int:
    """Return the longest run of consecutive wins, or of trades that did not win."""
    best = run = 0
    for pnl in pnls:
        run = run + 1 if (pnl > 0) is winning else 0
        best = max(best, run)
    return best
