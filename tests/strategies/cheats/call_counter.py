"""Says something else at every call, as one that keeps state between calls does."""

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

SLUG = "call-counter"
NAME = "Call counter"
SUMMARY = "Goes long on every other call."
CAUGHT_BY = (Check.REPEAT, Check.PREFIX, Check.FUTURE, Check.HIGHER, Check.WARM_UP)
Params = CheatParams


CALLS: list[int] = []


def requirements(params: CheatParams) -> Requirements:
    """Return that it needs nothing."""
    return Requirements(warm_up_bars=1)


def signals(view: MarketView, params: CheatParams) -> Signals:
    """Remember the call; the honest twin remembers nothing."""
    CALLS.append(len(view.candles))
    is_odd = params.cheats and len(CALLS) % 2 == 1
    return long_where(np.full(len(view.candles), is_odd, dtype=np.bool_))
