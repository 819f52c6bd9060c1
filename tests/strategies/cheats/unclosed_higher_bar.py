"""Reads the close of a 4h bar while that bar is still open."""

import numpy as np

from market.timeframes import Timeframe
from strategies.causality import Check
from strategies.shapes import Requirements
from strategies.signals import Signals
from strategies.views import MarketView
from tests.strategies.cheats.shape import (
    CATEGORY,
    RISK,
    VERSION,
    CheatParams,
    long_where,
    overlays,
    rules,
)

__all__ = ("CATEGORY", "RISK", "VERSION", "overlays", "rules")

SLUG = "unclosed-higher-bar"
NAME = "Unclosed higher bar"
SUMMARY = "Goes long above the close of the 4h bar that is under way."
CAUGHT_BY = (Check.PREFIX, Check.FUTURE, Check.HIGHER)
Params = CheatParams


def requirements(params: CheatParams) -> Requirements:
    """Return two 4h bars of history."""
    return Requirements(
        warm_up_bars=0, warm_up_ms=2 * Timeframe.H4.milliseconds, timeframes=(Timeframe.H4,)
    )


def signals(view: MarketView, params: CheatParams) -> Signals:
    """Join with the bar that has begun last; the honest twin with the one that closed last."""
    higher = view.higher(Timeframe.H4)
    if params.cheats and len(higher.candles):
        begun = higher.candles.open_time.searchsorted(view.candles.open_time, side="right") - 1
        known = higher.candles.close[np.maximum(begun, 0)]
        known[begun < 0] = np.nan
    else:
        known = higher.at_base(higher.candles.close)
    return long_where(view.candles.close > known)
