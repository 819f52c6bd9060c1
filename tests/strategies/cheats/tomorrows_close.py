"""Buys today because tomorrow closes higher."""

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

SLUG = "tomorrows-close"
NAME = "Tomorrow's close"
SUMMARY = "Goes long when the next close is higher."
CAUGHT_BY = (Check.PREFIX, Check.FUTURE, Check.HIGHER)
Params = CheatParams


def requirements(params: CheatParams) -> Requirements:
    """Return that it needs two closes."""
    return Requirements(warm_up_bars=2)


def signals(view: MarketView, params: CheatParams) -> Signals:
    """Compare with the next close; the honest twin with the one before."""
    close = view.candles.close
    rises = np.diff(close, prepend=close[:1]) > 0
    if params.cheats:
        rises = np.append(rises[1:], False)
    return long_where(rises, ready_from=1)
