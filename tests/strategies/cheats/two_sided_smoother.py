"""Smooths with weights on both sides of a bar, so that the line is redrawn by later bars."""

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

SLUG = "two-sided-smoother"
NAME = "Two-sided smoother"
SUMMARY = "Goes long when a line through past and later closes turns upwards."
CAUGHT_BY = (Check.PREFIX, Check.FUTURE, Check.HIGHER)
Params = CheatParams


SIDE = 12
BANDWIDTH = 4.0


def requirements(params: CheatParams) -> Requirements:
    """Return both sides of the kernel."""
    return Requirements(warm_up_bars=2 * SIDE + 1)


def signals(view: MarketView, params: CheatParams) -> Signals:
    """Smooth with a Gaussian kernel over both sides; the honest twin over the past side only."""
    close = view.candles.close
    steps = np.arange(-SIDE, SIDE + 1)
    weights = np.exp(-(steps**2) / (2 * BANDWIDTH**2))
    if not params.cheats:
        weights[:SIDE] = 0.0  # convolution turns the kernel round: these meet later bars
    if len(close) < len(weights):
        return long_where(np.zeros(len(close), dtype=np.bool_))
    smooth = np.convolve(close, weights, mode="same") / np.convolve(
        np.ones_like(close), weights, mode="same"
    )
    return long_where(np.diff(smooth, prepend=smooth[:1]) > 0, ready_from=SIDE + 1)
