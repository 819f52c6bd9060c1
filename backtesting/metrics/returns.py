"""Measures of a series of returns: fractions per period (0.01 is 1 %), oldest first.

A year has 365 daily periods: crypto markets never close. Where too little is known, or the formula
divides by zero, the answer is None.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

DAYS_PER_YEAR: Final = 365.0

#: A standard deviation below this is rounding noise of constant returns.
NOISE: Final = 1e-14
_TAIL: Final = 0.05

Returns = NDArray[np.float64]


class Sample:
    """Returns of consecutive periods, with the sums that many measures share.

    ``values`` is of shape ``(n,)``; ``per_year`` tells how many of them make a year.
    """

    __slots__ = (
        "centered", "count", "deviation", "downside", "fourth", "gains", "losses", "mean",
        "ordered", "per_year", "spread", "third", "values",
    )  # fmt: skip

    def __init__(self, values: Returns, per_year: float = DAYS_PER_YEAR) -> None:
        self.values = values
        self.per_year = per_year
        self.count = count = len(values)
        total = float(values.sum())
        self.mean = total / count if count else 0.0
        self.centered = values - self.mean
        squares = self.centered * self.centered
        self.spread = float(squares.sum())
        self.third = float((squares * self.centered).sum())
        self.fourth = float((squares * squares).sum())
        #: Sample standard deviation, 0 where it is not known.
        self.deviation = math.sqrt(self.spread / (count - 1)) if count > 1 else 0.0
        below = np.minimum(values, 0.0)
        self.downside = math.sqrt(float((below * below).sum()) / count) if count else 0.0
        self.losses = -float(below.sum())
        self.gains = total + self.losses
        self.ordered = np.sort(values)

    def __len__(self) -> int:
        return self.count


def annual_growth(total_return: float, years: float) -> float | None:
    """Return the constant yearly return (CAGR) that gives *total_return*; None for a total loss.

    Beginning and ending value over time, as in the CFA Institute's GIPS Handbook; None too when the
    window is so short that the power leaves the range of floats.
    """
    if years <= 0 or total_return <= -1:
        return None
    exponent = math.log1p(total_return) / years
    return math.expm1(exponent) if exponent < 700 else None


def annual_volatility(sample: Sample) -> float | None:
    """Return the sample standard deviation, scaled by the square root of time.

    Hull, "Options, Futures, and Other Derivatives", chapter 15.4.
    """
    return sample.deviation * math.sqrt(sample.per_year) if sample.count > 1 else None


def sharpe_ratio(sample: Sample) -> float | None:
    """Return mean over sample standard deviation, annualized, without a risk-free rate.

    Sharpe (1994), "The Sharpe Ratio", Journal of Portfolio Management 21(1).
    """
    per_period = _sharpe_per_period(sample)
    return None if per_period is None else per_period * math.sqrt(sample.per_year)


def sortino_ratio(sample: Sample) -> float | None:
    """Return mean over downside deviation from zero, annualized; None if nothing was ever lost.

    Sortino & Price (1994), "Performance Measurement in a Downside Risk Framework", Journal of
    Investing 3(3).
    """
    if sample.count < 2 or sample.downside < NOISE:
        return None
    return sample.mean / sample.downside * math.sqrt(sample.per_year)


def omega_ratio(sample: Sample) -> float | None:
    """Return the sum of gains over the sum of losses, threshold zero; None without losses.

    Keating & Shadwick (2002), "A Universal Performance Measure", Journal of Performance Measurement
    6(3).
    """
    return sample.gains / sample.losses if sample.losses > 0 else None


def gain_to_pain(sample: Sample) -> float | None:
    """Return the sum of all returns over the sum of losses; of months, as it is defined.

    Schwager, "Hedge Fund Market Wizards", appendix A.
    """
    return (sample.gains - sample.losses) / sample.losses if sample.losses > 0 else None


def probabilistic_sharpe(sample: Sample) -> float | None:
    """Return the probability that the true Sharpe ratio is above zero.

    Bailey & Lopez de Prado (2012), "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2).
    """
    per_period = _sharpe_per_period(sample)
    skewness, excess = skew(sample), excess_kurtosis(sample)
    if per_period is None or skewness is None or excess is None:
        return None
    variance = 1 - skewness * per_period + (excess + 2) / 4 * per_period**2
    if variance <= 0:
        return None
    score = per_period * math.sqrt(sample.count - 1) / math.sqrt(variance)
    return (1 + math.erf(score / math.sqrt(2))) / 2


def beta(sample: Sample, market: Sample) -> float | None:
    """Return how much returns move with those of *market*: covariance over variance.

    Sharpe (1964), "Capital Asset Prices", Journal of Finance 19(3).
    """
    if not _are_comparable(sample, market):
        return None
    return float((sample.centered * market.centered).sum()) / market.spread


def alpha(sample: Sample, market: Sample) -> float | None:
    """Return what is left per year after *market* times beta, compounded.

    Jensen (1968), "The Performance of Mutual Funds", Journal of Finance 23(2).
    """
    slope = beta(sample, market)
    if slope is None:
        return None
    return annual_growth(sample.mean - slope * market.mean, 1 / sample.per_year)


def correlation(sample: Sample, market: Sample) -> float | None:
    """Return Pearson's correlation with the returns of *market*, from -1 to 1.

    Pearson (1895), "Notes on Regression and Inheritance", Proceedings of the Royal Society 58.
    """
    if not _are_comparable(sample, market) or sample.deviation < NOISE:
        return None
    together = float((sample.centered * market.centered).sum())
    return max(-1.0, min(together / math.sqrt(sample.spread * market.spread), 1.0))


def value_at_risk(sample: Sample, level: float = _TAIL) -> float | None:
    """Return the *level* quantile of returns: in 1 of 20 periods it was worse.

    Historical simulation; Jorion, "Value at Risk", chapter 10.
    """
    return _quantile(sample.ordered, level) if sample.count else None


def conditional_value_at_risk(sample: Sample, level: float = _TAIL) -> float | None:
    """Return the mean of the worst returns up to rank ``level x (n - 1)``.

    Rockafellar & Uryasev (2000), "Optimization of Conditional Value-at-Risk", Journal of Risk 2(3).
    """
    if not sample.count:
        return None
    worst = int((sample.count - 1) * level) + 1
    return float(sample.ordered[:worst].sum()) / worst


def skew(sample: Sample) -> float | None:
    """Return the third standardized moment, not corrected for bias (Fisher-Pearson).

    Joanes & Gill (1998), "Comparing Measures of Sample Skewness and Kurtosis", The Statistician
    47(1).
    """
    scale = _scale(sample)
    return None if scale is None else sample.third / sample.count / scale**3


def excess_kurtosis(sample: Sample) -> float | None:
    """Return the fourth standardized moment less 3 (0 for a normal), not corrected for bias.

    Joanes & Gill (1998), as for ``skew``.
    """
    scale = _scale(sample)
    return None if scale is None else sample.fourth / sample.count / scale**4 - 3


def tail_ratio(sample: Sample) -> float | None:
    """Return the 95 % quantile over the absolute 5 % quantile; None if the latter is 0.

    As defined by Quantopian's empyrical.
    """
    if not sample.count:
        return None
    low, high = _quantile(sample.ordered, _TAIL), _quantile(sample.ordered, 1 - _TAIL)
    return abs(high) / abs(low) if low != 0 else None


def _sharpe_per_period(sample: Sample) -> float | None:
    return sample.mean / sample.deviation if sample.deviation >= NOISE else None


def _are_comparable(sample: Sample, market: Sample) -> bool:
    return 2 <= sample.count == market.count and market.deviation >= NOISE


def _scale(sample: Sample) -> float | None:
    """Return the standard deviation of the whole sample; None where shapes mean nothing."""
    if sample.count < 3:
        return None
    scale = math.sqrt(sample.spread / sample.count)
    return scale if scale >= NOISE else None


def _quantile(ordered: Returns, level: float) -> float:
    """Return a quantile between the two nearest ranks (the method 7 of Hyndman & Fan, 1996)."""
    place = (len(ordered) - 1) * level
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (place - below)
