"""Says that ten bars are enough for an average that remembers hundreds."""

import numpy as np

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

SLUG = "short-warm-up"
NAME = "Short warm-up"
SUMMARY = "Goes long above a slow average long before it has settled."
CAUGHT_BY = (Check.WARM_UP,)
Params = CheatParams


PERIOD = 100


def requirements(params: CheatParams) -> Requirements:
    """Return far too little; the honest twin waits until the average has forgotten its seed."""
    return Requirements(warm_up_bars=10 if params.cheats else 8 * PERIOD)


def signals(view: MarketView, params: CheatParams) -> Signals:
    """Compare with an average that is seeded by the first close."""
    close = view.candles.close
    average = np.empty_like(close)
    level = close[0] if len(close) else 0.0
    for index, value in enumerate(close.tolist()):
        level += 2 / (PERIOD + 1) * (value - level)
        average[index] = level
    return long_where(close > average)
