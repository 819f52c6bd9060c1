"""Proof by experiment that a strategy uses nothing that it could not have known.

Three checks, each reported with the first bar that differs. They are run on every strategy of the
registry, and on any other that somebody wants to use.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles
from market.timeframes import Timeframe
from strategies.registry import Definition
from strategies.shapes import StrategyParams
from strategies.signals import Signals
from strategies.views import MarketView

_SEED: Final = 20240101


class Check(StrEnum):
    """What is tried."""

    #: Signals do not change when later bars are appended.
    PREFIX = "PREFIX"
    #: Signals do not change when later bars are different ones.
    FUTURE = "FUTURE"
    #: Signals after the warm-up do not change when the history begins earlier.
    WARM_UP = "WARM_UP"


@dataclass(frozen=True, slots=True)
class Violation:
    """One check that failed: the signal and bar that first differed, and what was changed."""

    check: Check
    signal: str
    index: int
    open_time_ms: int
    detail: str


def check_causality(
    definition: Definition,
    params: StrategyParams,
    candles: Candles,
    timeframe: Timeframe,
    *,
    cuts: int = 40,
) -> tuple[Violation, ...]:
    """Return the first violation of each check, none if the strategy is causal on these candles.

    *candles* are changed at *cuts* places between the end of the warm-up and their own end; raises
    ValueError if they are not longer than twice the warm-up, because then nothing would be shown.
    """
    warm_up = definition.requirements(params).bars(timeframe)
    if len(candles) <= 2 * warm_up + 1:
        raise ValueError(f"{len(candles)} bars are too few to check a warm-up of {warm_up}.")
    trial = _Trial(definition, params, candles, timeframe)
    lengths = np.unique(np.linspace(warm_up + 1, len(candles) - 1, cuts, dtype=np.int64)).tolist()
    starts = np.unique(np.linspace(1, len(candles) - warm_up - 1, cuts, dtype=np.int64)).tolist()
    found = (
        _first(trial.with_only(length) for length in lengths),
        _first(trial.with_other_future(length) for length in lengths),
        _first(trial.from_later(start, warm_up) for start in starts),
    )
    return tuple(violation for violation in found if violation is not None)


def generated_candles(
    bars: int, *, seed: int = _SEED, timeframe: Timeframe = Timeframe.H1
) -> Candles:
    """Return a random walk of *bars* bars, always the same for the same *seed*."""
    random = np.random.default_rng(seed)
    close = 30_000 * np.exp(np.cumsum(random.normal(0, 0.01, bars)))
    opens = np.concatenate([[30_000.0], close[:-1]])[:bars]
    high = np.maximum(opens, close) * (1 + np.abs(random.normal(0, 0.003, bars)))
    low = np.minimum(opens, close) * (1 - np.abs(random.normal(0, 0.003, bars)))
    times = np.arange(bars, dtype=np.int64) * timeframe.milliseconds
    volume = np.round(random.uniform(1, 100, bars), 5)
    opens, high, low, close = (np.round(column, 2) for column in (opens, high, low, close))
    return Candles(times, opens, high, low, close, volume)


class _Trial:
    """One strategy on one history, and what it says when the history is changed."""

    def __init__(
        self,
        definition: Definition,
        params: StrategyParams,
        candles: Candles,
        timeframe: Timeframe,
    ) -> None:
        self._definition = definition
        self._params = params
        self._candles = candles
        self._timeframe = timeframe
        self._whole = self._say(candles)

    def with_only(self, length: int) -> Violation | None:
        """Compare with a history that ends after *length* bars."""
        told = self._say(self._candles.slice(0, length))
        return self._compare(Check.PREFIX, told, 0, (0, length), f"{length} bars alone")

    def with_other_future(self, length: int) -> Violation | None:
        """Compare with a history that goes on differently after *length* bars."""
        before = self._candles.slice(0, length)
        after = self._candles.slice(length, len(self._candles))
        random = np.random.default_rng(length)
        factor = np.exp(random.normal(0, 0.2, len(after)))
        bent = Candles(
            after.open_time,
            *(np.ascontiguousarray(column * factor) for column in after.columns()[1:]),
        )
        told = self._say(Candles.concatenate((before, bent)))
        detail = f"other bars after the first {length}"
        return self._compare(Check.FUTURE, told, 0, (0, length), detail)

    def from_later(self, start: int, warm_up: int) -> Violation | None:
        """Compare, after the warm-up, with a history that begins at bar *start*."""
        told = self._say(self._candles.slice(start, len(self._candles)))
        window = (start + warm_up, len(self._candles))
        return self._compare(Check.WARM_UP, told, start, window, f"history from bar {start}")

    def _say(self, candles: Candles) -> Signals:
        view = MarketView(candles, self._timeframe)
        told = self._definition.signals(view, self._params)
        if len(told) != len(candles):
            raise ValueError(f"{len(candles)} bars got {len(told)} signals.")
        return told

    def _compare(
        self, check: Check, told: Signals, shift: int, window: tuple[int, int], detail: str
    ) -> Violation | None:
        """Compare *told*, whose bar 0 is the whole's bar *shift*, in a *window* of the whole."""
        start, stop = window
        first: tuple[int, str] | None = None
        for name, column in told.columns().items():
            expected = self._whole.columns()[name][start:stop]
            differs = np.flatnonzero(_differ(column[start - shift : stop - shift], expected))
            if len(differs) and (first is None or start + int(differs[0]) < first[0]):
                first = (start + int(differs[0]), name)
        if first is None:
            return None
        index, signal = first
        return Violation(check, signal, index, int(self._candles.open_time[index]), detail)


def _first(results: Iterable[Violation | None]) -> Violation | None:
    return next((violation for violation in results if violation is not None), None)


def _differ(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where two columns are not the same; undefined is the same as undefined."""
    differs: NDArray[np.bool_] = one != other
    if one.dtype.kind == "f":
        differs &= ~(np.isnan(one) & np.isnan(other))
    return differs
