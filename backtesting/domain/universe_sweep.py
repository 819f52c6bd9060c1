"""Many combinations of parameters over the same universe, each with its own wallet."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.combinations import same_signals
from backtesting.domain.objectives import FIGURES, figures_row
from backtesting.domain.portfolio import portfolio_of
from backtesting.domain.specification import Specification
from backtesting.domain.sweep import Progress
from backtesting.domain.universes import universe_stretch
from backtesting.engine import SimulationStopped
from market.errors import PlatformError
from strategies.shapes import StrategyParams
from strategies.views import UniverseView


def evaluate_universe(
    specification: Specification,
    combinations: Sequence[StrategyParams],
    universe: UniverseView,
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> NDArray[np.float64]:
    """Return the figures of each combination, as ``sweep.evaluate`` does for one market.

    Each row is what a backtest of *specification* with those parameters gives, to the last bit.
    *universe* is the window with the longest warm-up of all combinations in front of it; a row is
    NaN if its bars are too few for the combination.
    """
    figures = np.full((len(combinations), len(FIGURES)), np.nan)
    done = 0

    def tell(_: float = 0.0) -> None:
        if should_stop is not None and should_stop():
            raise SimulationStopped
        if progress is not None:
            progress(done)

    specified = [replace(specification, params=params) for params in combinations]
    for places, warm_up_bars in same_signals(specified):
        try:
            stretch = universe_stretch(universe, specification.window, warm_up_bars=warm_up_bars)
        except PlatformError:
            continue
        signals = specification.definition.signals(stretch.view, specified[places[0]].params)
        for place in places:
            backtest = portfolio_of(specified[place], stretch, signals, progress=tell)
            figures[place] = figures_row(backtest.metrics)
            done += 1
            tell()
    return figures
