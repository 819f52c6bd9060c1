"""Write ``golden_metrics.json``: figures of independent libraries that the metrics have to meet.

Run it by hand, in an environment of its own (none of this is a dependency of the platform)::

    python -m venv /somewhere && /somewhere/bin/pip install empyrical-reloaded==0.7.1 quantstats==0.0.86 scipy==1.17.1
    /somewhere/bin/python tests/backtesting/golden_metrics.py

Conventions: 365 periods a year, no risk-free rate, skew and kurtosis not corrected for bias (SciPy's default; pandas and
quantstats correct for it), historical value at risk. The ulcer index of quantstats divides by one less than the returns,
ours by the points of the curve, which are one more. Its measures of trades take each return for a trade.
"""

import json
import math
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: They are there in that environment only, so nothing may expect them here.
empyrical, pd, qs, stats = map(import_module, ("empyrical", "pandas", "quantstats", "scipy.stats"))

LIBRARIES = ("empyrical-reloaded", "quantstats", "scipy")
YEAR = 365


def series() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return 500 made-up daily returns with fat tails, and a market that they follow in part."""
    random = np.random.default_rng(20240101)
    market = random.standard_t(4, 500) * 0.02 + 0.0005
    ours = 0.6 * market + random.standard_t(5, 500) * 0.012 + 0.0004
    return np.round(ours, 6), np.round(market, 6)


def main() -> None:
    """Compute and write everything."""
    ours, market = series()
    days = pd.date_range("2023-01-01", periods=len(ours), freq="D")
    frame = pd.Series(ours, days)
    drawdowns = qs.stats.drawdown_details(qs.stats.to_drawdown_series(frame))
    monthly = qs.stats.monthly_returns(frame, eoy=True)
    golden = {
        "annual_volatility": empyrical.annual_volatility(ours, annualization=YEAR),
        "sharpe": empyrical.sharpe_ratio(ours, annualization=YEAR),
        "sortino": empyrical.sortino_ratio(ours, annualization=YEAR),
        "omega": empyrical.omega_ratio(ours, annualization=YEAR),
        "calmar": empyrical.calmar_ratio(ours, annualization=YEAR),
        "alpha": empyrical.alpha(ours, market, annualization=YEAR),
        "beta": empyrical.beta(ours, market),
        "correlation": float(np.corrcoef(ours, market)[0, 1]),
        "value_at_risk": empyrical.value_at_risk(ours),
        "conditional_value_at_risk": empyrical.conditional_value_at_risk(ours),
        "tail_ratio": empyrical.tail_ratio(ours),
        "skew": float(stats.skew(ours)),
        "kurtosis": float(stats.kurtosis(ours)),
        "max_drawdown": -empyrical.max_drawdown(ours),
        "cagr": empyrical.cagr(ours, annualization=YEAR),
        "probabilistic_sharpe": float(
            stats.norm.cdf(_score(ours, float(stats.skew(ours)), float(stats.kurtosis(ours))))
        ),
        "best_day": qs.stats.best(frame),
        "worst_day": qs.stats.worst(frame),
        "ulcer_index": qs.stats.ulcer_index(frame),
        "payoff_ratio": qs.stats.payoff_ratio(frame),
        "profit_factor": qs.stats.profit_factor(frame),
        "kelly": qs.stats.kelly_criterion(frame),
        "win_rate": qs.stats.win_rate(frame),
        "max_consecutive_wins": qs.stats.consecutive_wins(frame),
        "max_consecutive_losses": qs.stats.consecutive_losses(frame),
        "drawdowns": len(drawdowns),
        "average_drawdown": float(-drawdowns["max drawdown"].mean() / 100),
        "gain_to_pain": qs.stats.gain_to_pain_ratio(frame),
        "total_return": qs.stats.comp(frame),
        "monthly": [[row[month] for month in monthly.columns] for _, row in monthly.iterrows()],
    }
    place = Path(__file__).with_suffix(".json")
    document = {
        "libraries": {name: version(name) for name in LIBRARIES},
        "returns": ours.tolist(),
        "market": market.tolist(),
        "golden": golden,
    }
    place.write_text(json.dumps(document, default=float) + "\n", encoding="utf-8")


def _score(returns: NDArray[np.float64], skew: float, excess: float) -> float:
    sharpe = float(np.mean(returns) / np.std(returns, ddof=1))
    variance = 1 - skew * sharpe + (excess + 2) / 4 * sharpe**2
    return sharpe * math.sqrt(len(returns) - 1) / math.sqrt(variance)


if __name__ == "__main__":
    main()
