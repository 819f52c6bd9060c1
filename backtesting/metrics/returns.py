"""Measures of a series of returns.

``returns`` is of shape ``(n,)``, fractions per period (0.01 is 1 %), oldest first.
``periods_per_year`` is 365 for daily returns: crypto markets never close. Where too little is
known, or the formula divides by zero, the answer is None.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

DAYS_PER_YEAR: Final = 365.0

#: A standard deviation below this is rounding noise of constant returns.
_NOISE: Final = 1e-14

Returns = NDArray[np.float64]


def annual_growth(total_return: float, years: float) -> float | None:
    """Return the constant yearly return (CAGR) that gives *total_return*; None for a total loss.

    Beginning and ending value over time, as in the CFA Institute's GIPS Handbook; None too when the
    window is so short that the power leaves the range of floats.
    """
    if years <= 0 or total_return <= -1:
        return None
    exponent = math.log1p(total_return) / years
    return math.expm1(exponent) if exponent < 700 else None


def annual_volatility(returns: Returns, periods_per_year: float = DAYS_PER_YEAR) -> float | None:
    """Return the sample standard deviation, scaled by the square root of time.

    Hull, "Options, Futures, and Other Derivatives", chapter 15.4.
    """
    if len(returns) < 2:
        return None
    return float(np.std(returns, ddof=1)) * math.sqrt(periods_per_year)


def sharpe_ratio(returns: Returns, periods_per_year: float = DAYS_PER_YEAR) -> float | None:
    """Return mean over sample standard deviation, annualized, without a risk-free rate.

    Sharpe (1994), "The Sharpe Ratio", Journal of Portfolio Management 21(1).
    """
    if len(returns) < 2:
        return None
    deviation = float(np.std(returns, ddof=1))
    if deviation < _NOISE:
        return None
    return float(np.mean(returns)) / deviation * math.sqrt(periods_per_year)


def sortino_ratio(returns: Returns, periods_per_year: float = DAYS_PER_YEAR) -> float | None:
    """Return mean over downside deviation from zero, annualized; None if nothing was ever lost.

    Sortino & Price (1994), "Performance Measurement in a Downside Risk Framework", Journal of
    Investing 3(3).
    """
    if len(returns) < 2:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    if downside < _NOISE:
        return None
    return float(np.mean(returns)) / downside * math.sqrt(periods_per_year)


def omega_ratio(returns: Returns) -> float | None:
    """Return the sum of gains over the sum of losses, threshold zero; None without losses.

    Keating & Shadwick (2002), "A Universal Performance Measure", Journal of Performance Measurement
    6(3).
    """
    losses = -float(np.sum(returns[returns < 0]))
    return float(np.sum(returns[returns > 0])) / losses if losses > 0 else None


def probabilistic_sharpe(returns: Returns) -> float | None:
    """Return the probability that the true Sharpe ratio is above zero.

    Bailey & Lopez de Prado (2012), "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2).
    """
    per_period = sharpe_ratio(returns, periods_per_year=1)
    skewness, excess = skew(returns), excess_kurtosis(returns)
    if per_period is None or skewness is None or excess is None:
        return None
    spread = 1 - skewness * per_period + (excess + 2) / 4 * per_period**2
    if spread <= 0:
        return None
    score = per_period * math.sqrt(len(returns) - 1) / math.sqrt(spread)
    return 0.5 * (1 + math.erf(score / math.sqrt(2)))


def beta(returns: Returns, market: Returns) -> float | None:
    """Return how much *returns* move with *market*: covariance over variance.

    Sharpe (1964), "Capital Asset Prices", Journal of Finance 19(3).
    """
    if len(returns) < 2 or len(returns) != len(market):
        return None
    centered = market - np.mean(market)
    variance = float(np.sum(centered**2))
    if variance < _NOISE**2 * len(market):
        return None
    return float(np.sum((returns - np.mean(returns)) * centered)) / variance


def alpha(
    returns: Returns, market: Returns, periods_per_year: float = DAYS_PER_YEAR
) -> float | None:
    """Return what is left per year after *market* times beta, compounded.

    Jensen (1968), "The Performance of Mutual Funds", Journal of Finance 23(2).
    """
    slope = beta(returns, market)
    if slope is None:
        return None
    return annual_growth(float(np.mean(returns - slope * market)), 1 / periods_per_year)


def value_at_risk(returns: Returns, level: float = 0.05) -> float | None:
    """Return the *level* quantile of returns: in 1 of 20 periods it was worse.

    Historical simulation; Jorion, "Value at Risk", chapter 10.
    """
    return float(np.percentile(returns, 100 * level)) if len(returns) else None


def conditional_value_at_risk(returns: Returns, level: float = 0.05) -> float | None:
    """Return the mean of the worst returns up to rank ``level x (n - 1)``.

    Rockafellar & Uryasev (2000), "Optimization of Conditional Value-at-Risk", Journal of Risk 2(3).
    """
    if not len(returns):
        return None
    worst = int((len(returns) - 1) * level)
    return float(np.mean(np.sort(returns)[: worst + 1]))


def skew(returns: Returns) -> float | None:
    """Return the third standardized moment, not corrected for bias (Fisher-Pearson).

    Joanes & Gill (1998), "Comparing Measures of Sample Skewness and Kurtosis", The Statistician
    47(1).
    """
    return _standardized_moment(returns, 3)


def excess_kurtosis(returns: Returns) -> float | None:
    """Return the fourth standardized moment less 3 (0 for a normal), not corrected for bias.

    Joanes & Gill (1998), as for ``skew``.
    """
    moment = _standardized_moment(returns, 4)
    return None if moment is None else moment - 3


def tail_ratio(returns: Returns) -> float | None:
    """Return the 95 % quantile over the absolute 5 % quantile; None if the latter is 0.

    As defined by Quantopian's empyrical.
    """
    if not len(returns):
        return None
    low, high = np.percentile(returns, [5, 95])
    return abs(float(high)) / abs(float(low)) if low != 0 else None


def _standardized_moment(returns: Returns, order: int) -> float | None:
    if len(returns) < 3:
        return None
    centered = returns - np.mean(returns)
    deviation = math.sqrt(float(np.mean(centered**2)))
    if deviation < _NOISE:
        return None
    return float(np.mean((centered / deviation) ** order))
