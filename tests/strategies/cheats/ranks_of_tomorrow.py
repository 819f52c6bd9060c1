"""Ranks the symbols of a universe by what they will have gained a day later."""

import numpy as np

from strategies.causality import Check
from strategies.shapes import Requirements
from strategies.signals import Signals
from strategies.views import UniverseView
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

SLUG = "ranks-of-tomorrow"
NAME = "Ranks of tomorrow"
SUMMARY = "Holds the symbol of a universe that gains most in the next day."
CAUGHT_BY = (Check.PREFIX, Check.FUTURE, Check.HIGHER)
Params = CheatParams


DAY = 24


def requirements(params: CheatParams) -> Requirements:
    """Return a day of a universe."""
    return Requirements(warm_up_bars=DAY, needs_universe=True)


def signals(view: UniverseView, params: CheatParams) -> Signals:
    """Rank by the next day's gain; the honest twin by that of the day before."""
    gains = np.full(view.close.shape, np.nan)
    gains[:, DAY:] = view.close[:, DAY:] / view.close[:, :-DAY] - 1
    if params.cheats:
        gains = np.concatenate([gains[:, DAY:], np.full((len(gains), DAY), np.nan)], axis=1)
    known = np.where(np.isnan(gains), -np.inf, gains)
    return long_where((known == known.max(axis=0)) & np.isfinite(known), ready_from=DAY)
