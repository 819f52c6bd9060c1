"""Generated markets on which a strategy says something: a check of one that is silent shows nothing."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from market.timeframes import Timeframe
from strategies.histories import (
    History,
    MarketHistory,
    UniverseHistory,
    generated_candles,
    generated_universe,
)
from strategies.registry import Definition
from strategies.shapes import StrategyParams

#: Volatility and drift of each bar: a lively market, a calm one, and a calm one that falls.
_MOODS: Final = ((0.01, 0.0), (0.0025, 0.0), (0.0025, -0.00012))
#: How many markets of each mood are tried.
_TRIES: Final = 20
#: Between the seeds of two tries; those of the symbols of a universe follow each other.
_APART: Final = 1_000


def speaks(definition: Definition, params: StrategyParams, history: History) -> bool:
    """Tell whether an entry is said anywhere on *history* after the warm-up."""
    warm_up = definition.requirements(params).bars(history.timeframe)
    said = definition.signals(history.view(), params)
    enters = (said.enter_long | said.enter_short) & said.ready
    return bool(np.any(enters[..., warm_up:]))


def telling_history(
    definition: Definition, params: StrategyParams, timeframe: Timeframe, *, bars: int, seed: int
) -> History:
    """Return the first of some generated markets of *bars* bars on which the strategy speaks.

    The first one of all if it speaks on none. The same *seed* gives the same market.
    """
    needs_universe = definition.requirements(params).needs_universe
    tried = _universes if needs_universe else _markets
    first: History | None = None
    for history in tried(timeframe, bars, seed):
        first = first or history
        if speaks(definition, params, history):
            return history
    if first is None:
        raise ValueError("No market was tried.")
    return first


def _markets(timeframe: Timeframe, bars: int, seed: int) -> Iterator[History]:
    for number in range(_TRIES):
        for volatility, drift in _MOODS:
            candles = generated_candles(
                bars,
                seed=seed + number * _APART,
                timeframe=timeframe,
                volatility=volatility,
                drift=drift,
            )
            yield MarketHistory(candles, timeframe)


def _universes(timeframe: Timeframe, bars: int, seed: int) -> Iterator[History]:
    for number in range(_TRIES):
        yield UniverseHistory(
            generated_universe(bars, seed=seed + number * _APART, timeframe=timeframe)
        )
