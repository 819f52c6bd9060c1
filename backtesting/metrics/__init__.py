"""What a backtest was worth, in numbers: pure functions, each naming the source of its formula."""

from backtesting.metrics.catalogue import CATALOGUE, Better, MetricInfo, Section, Unit
from backtesting.metrics.columns import TradeColumns
from backtesting.metrics.groups import TradeGroup
from backtesting.metrics.periods import MonthlyReturns
from backtesting.metrics.summary import Course, Metrics, compute_metrics, measure

__all__ = [
    "CATALOGUE",
    "Better",
    "Course",
    "MetricInfo",
    "Metrics",
    "MonthlyReturns",
    "Section",
    "TradeColumns",
    "TradeGroup",
    "Unit",
    "compute_metrics",
    "measure",
]
