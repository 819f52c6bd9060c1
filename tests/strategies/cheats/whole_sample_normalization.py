"""Normalizes by mean and scatter of the whole history, later bars included."""

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

SLUG = "whole-sample-normalization"
NAME = "Whole-sample normalization"
SUMMARY = "Goes long when the close is high among all closes there are."
CAUGHT_BY = (Check.PREFIX, Check.FUTURE, Check.HIGHER, Check.WARM_UP)
Params = CheatParams


WINDOW = 100


def requirements(params: CheatParams) -> Requirements:
    """Return the window of the honest twin."""
    return Requirements(warm_up_bars=WINDOW)


def signals(view: MarketView, params: CheatParams) -> Signals:
    """Score against all bars; the honest twin against the last hundred."""
    close = view.candles.close
    if params.cheats:
        score = (close - close.mean()) / close.std()
    else:
        score = np.full(len(close), np.nan)
        if len(close) >= WINDOW:
            windows = np.lib.stride_tricks.sliding_window_view(close, WINDOW)
            score[WINDOW - 1 :] = (windows[:, -1] - windows.mean(axis=1)) / windows.std(axis=1)
    return long_where(score > 0.5, ready_from=WINDOW - 1)
