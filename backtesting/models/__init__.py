"""The tables of backtesting, one aggregate a module."""

from backtesting.models.checks import StrategyCheck, StrategyCheckQuerySet
from backtesting.models.runs import (
    STANDING_STATUSES,
    UNFINISHED_STATUSES,
    BacktestRun,
    BacktestRunQuerySet,
    BacktestTrade,
    RunStatus,
)
from backtesting.models.specifications import StoredSpecification
from backtesting.models.sweeps import ChunkStatus, Sweep, SweepChunk, SweepQuerySet

__all__ = (
    "STANDING_STATUSES",
    "UNFINISHED_STATUSES",
    "BacktestRun",
    "BacktestRunQuerySet",
    "BacktestTrade",
    "ChunkStatus",
    "RunStatus",
    "StoredSpecification",
    "StrategyCheck",
    "StrategyCheckQuerySet",
    "Sweep",
    "SweepChunk",
    "SweepQuerySet",
)
