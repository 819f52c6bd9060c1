"""What a backtest was worth, in numbers: pure functions, each naming the source of its formula."""

from backtesting.metrics.catalogue import CATALOGUE, MetricInfo, Section, Unit
from backtesting.metrics.periods import MonthlyReturns
from backtesting.metrics.summary import Metrics, ReasonSummary, compute_metrics

__all__ = [
    "CATALOGUE",
    "MetricInfo",
    "Metrics",
    "MonthlyReturns",
    "ReasonSummary",
    "Section",
    "Unit",
    "compute_metrics",
]
