"""Many combinations of parameters over the same bars, and what is kept of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.backtest import backtest_of
from backtesting.domain.combinations import same_signals
from backtesting.domain.objectives import FIGURES, figures_row
from backtesting.domain.specification import Specification
from backtesting.domain.windows import Stretch, stretch_of
from backtesting.engine import SimulationStopped
from market.candles import Candles
from market.errors import PlatformError
from strategies.shapes import StrategyParams
from strategies.signals import Signals
from strategies.views import MarketView

#: Told how many combinations are done.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Combinations with the same signals: their places among all, and what each specifies."""

    places: Sequence[int]
    specifications: Sequence[Specification]
    stretch: Stretch
    signals: Signals
    detail: Candles | None


#: A combination that cannot be run on these bars, such as one that warms up for longer than they are.
_NOTHING: Final = np.nan


def evaluate(
    specification: Specification,
    combinations: Sequence[StrategyParams],
    candles: Candles,
    *,
    detail: Candles | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> NDArray[np.float64]:
    """Return the figures of each combination, shape ``(len(combinations), len(FIGURES))``.

    Each row is what a backtest of *specification* with those parameters gives, to the last bit. A
    figure is NaN where it is undefined; a whole row is if the bars are too few for the combination.

    Parameters
    ----------
    specification
        Everything but the parameters, which are taken from *combinations*.
    candles
        The window with the longest warm-up of all combinations in front of it, as far as stored.
    detail
        The minutes inside the bars, as a backtest takes them.
    progress, should_stop
        Called after each combination and, in long ones, on the way; SimulationStopped is raised when the latter says so.
    """
    figures = np.full((len(combinations), len(FIGURES)), _NOTHING)
    done = 0

    def tell() -> None:
        if should_stop is not None and should_stop():
            raise SimulationStopped
        if progress is not None:
            progress(done)

    for group in _groups(specification, combinations, candles, detail):
        for place, row in _simulated(group, beat=tell):
            figures[place] = row
            done += 1
            tell()
    return figures


def _simulated(
    group: _Group, *, beat: Callable[[], None]
) -> Iterable[tuple[int, NDArray[np.float64]]]:
    """Yield the place and the figures of each combination of *group*; *beat* now and then.

    The one place where combinations meet the engine.
    """
    for place, specification in zip(group.places, group.specifications, strict=True):
        backtest = backtest_of(
            specification,
            group.stretch,
            group.signals,
            detail=group.detail,
            progress=lambda _: beat(),
        )
        yield place, figures_row(backtest.metrics)


def _groups(
    specification: Specification,
    combinations: Sequence[StrategyParams],
    candles: Candles,
    detail: Candles | None,
) -> Iterable[_Group]:
    """Yield the combinations by their signals, each of which is computed once."""
    specified = [replace(specification, params=params) for params in combinations]
    for members, warm_up_bars in same_signals(specified):
        try:
            stretch = stretch_of(candles, specification.window, warm_up_bars=warm_up_bars)
        except PlatformError:
            continue
        view = MarketView(stretch.candles, specification.timeframe)
        signals = specification.definition.signals(view, specified[members[0]].params)
        together = [specified[place] for place in members]
        yield _Group(members, together, stretch, signals, detail)
