"""The tables of backtesting, one aggregate a module."""

from backtesting.models.awaited import AwaitedRun, AwaitedStatus
from backtesting.models.checks import StrategyCheck
from backtesting.models.runs import BacktestRun, BacktestRunQuerySet, BacktestTrade
from backtesting.models.specifications import StoredSpecification
from backtesting.models.sweeps import ChunkStatus, Sweep, SweepChunk, SweepQuerySet
from backtesting.models.work import (
    STANDING_STATUSES,
    UNFINISHED_STATUSES,
    ClaimedWork,
    ClaimedWorkQuerySet,
    RunStatus,
)

__all__ = (
    "STANDING_STATUSES",
    "UNFINISHED_STATUSES",
    "AwaitedRun",
    "AwaitedStatus",
    "BacktestRun",
    "BacktestRunQuerySet",
    "BacktestTrade",
    "ChunkStatus",
    "ClaimedWork",
    "ClaimedWorkQuerySet",
    "RunStatus",
    "StoredSpecification",
    "StrategyCheck",
    "Sweep",
    "SweepChunk",
    "SweepQuerySet",
)
