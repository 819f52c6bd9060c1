"""Histories that can be cut and bent: what the checks of a strategy try it on.

A history is that of one instrument or of a universe; bars are counted along its time grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles
from market.timeframes import Timeframe
from strategies.views import MarketView, UniverseView

_SEED: Final = 20240101
_PRICES_AND_VOLUME: Final = ("open", "high", "low", "close", "volume")


class History(Protocol):
    """Bars that may be cut and bent; nothing is changed in place."""

    @property
    def timeframe(self) -> Timeframe:
        """The length of the bars."""

    @property
    def times(self) -> NDArray[np.int64]:
        """The open time of each bar, in milliseconds UTC."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of the rows of a universe; none for one instrument."""

    def __len__(self) -> int:
        """Return how many bars there are."""

    def part(self, start: int, stop: int) -> Self:
        """Return only the bars ``[start, stop)``."""

    def bent(self, start: int, stop: int, factors: NDArray[np.float64]) -> Self:
        """Return all bars, those of ``[start, stop)`` multiplied by *factors*, volumes as well."""

    def view(self) -> MarketView | UniverseView:
        """Return what a strategy gets to see."""


@dataclass(frozen=True, slots=True, eq=False)
class MarketHistory:
    """The bars of one instrument."""

    candles: Candles
    timeframe: Timeframe

    def __len__(self) -> int:
        return len(self.candles)

    @property
    def times(self) -> NDArray[np.int64]:
        """See ``History``."""
        return self.candles.open_time

    @property
    def symbols(self) -> tuple[str, ...]:
        """See ``History``."""
        return ()

    def part(self, start: int, stop: int) -> "MarketHistory":
        """See ``History``."""
        return MarketHistory(self.candles.slice(start, stop), self.timeframe)

    def bent(self, start: int, stop: int, factors: NDArray[np.float64]) -> "MarketHistory":
        """See ``History``."""
        open_time, *values = self.candles.columns()
        columns = [_bent(column, start, stop, factors) for column in values]
        return MarketHistory(Candles(open_time, *columns), self.timeframe)

    def view(self) -> MarketView:
        """See ``History``."""
        return MarketView(self.candles, self.timeframe)


@dataclass(frozen=True, slots=True, eq=False)
class UniverseHistory:
    """The bars of many symbols on one time grid."""

    universe: UniverseView

    def __len__(self) -> int:
        return len(self.universe)

    @property
    def timeframe(self) -> Timeframe:
        """See ``History``."""
        return self.universe.timeframe

    @property
    def times(self) -> NDArray[np.int64]:
        """See ``History``."""
        return self.universe.open_time

    @property
    def symbols(self) -> tuple[str, ...]:
        """See ``History``."""
        return self.universe.symbols

    def part(self, start: int, stop: int) -> "UniverseHistory":
        """See ``History``."""
        times = self.universe.open_time[start:stop]
        return self._with(times, lambda column: np.ascontiguousarray(column[:, start:stop]))

    def bent(self, start: int, stop: int, factors: NDArray[np.float64]) -> "UniverseHistory":
        """See ``History``; each symbol is bent in its own way, or ranks would stay as they are."""
        count = len(self.universe.symbols)
        powers = np.linspace(1.0, -1.0, count)[:, np.newaxis] if count > 1 else np.ones((1, 1))
        each = factors[np.newaxis, :] ** powers
        times = self.universe.open_time
        return self._with(times, lambda column: _bent(column, start, stop, each))

    def view(self) -> UniverseView:
        """See ``History``."""
        return self.universe

    def _with(
        self,
        times: NDArray[np.int64],
        change: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> "UniverseHistory":
        old = self.universe
        columns = (change(getattr(old, name)) for name in _PRICES_AND_VOLUME)
        return UniverseHistory(UniverseView(old.symbols, old.timeframe, times, *columns))


def generated_candles(
    bars: int,
    *,
    seed: int = _SEED,
    timeframe: Timeframe = Timeframe.H1,
    volatility: float = 0.01,
    drift: float = 0.0,
) -> Candles:
    """Return a random walk of *bars* bars, always the same for the same *seed*.

    *volatility* and *drift* are deviation and mean of the logarithm of a bar's change.
    """
    random = np.random.default_rng(seed)
    close = 30_000 * np.exp(np.cumsum(random.normal(drift, volatility, bars)))
    opens = np.concatenate([[30_000.0], close[:-1]])[:bars]
    wick = 0.3 * volatility
    high = np.maximum(opens, close) * (1 + np.abs(random.normal(0, wick, bars)))
    low = np.minimum(opens, close) * (1 - np.abs(random.normal(0, wick, bars)))
    times = np.arange(bars, dtype=np.int64) * timeframe.milliseconds
    volume = np.round(random.uniform(1, 100, bars), 5)
    opens, high, low, close = (np.round(column, 2) for column in (opens, high, low, close))
    return Candles(times, opens, high, low, close, volume)


def generated_universe(
    bars: int, *, symbols: int = 8, seed: int = _SEED, timeframe: Timeframe = Timeframe.H1
) -> UniverseView:
    """Return *symbols* random walks; the last but one is listed late, the last is delisted early."""
    walks = [
        generated_candles(bars, seed=seed + row, timeframe=timeframe) for row in range(symbols)
    ]
    columns = {
        name: np.stack([getattr(walk, name) for walk in walks]) for name in _PRICES_AND_VOLUME
    }
    if symbols > 2:
        for column in columns.values():
            column[-2, : bars // 3] = np.nan
            column[-1, 2 * bars // 3 :] = np.nan
    names = tuple(f"COIN{row}/USDT" for row in range(symbols))
    return UniverseView(names, timeframe, walks[0].open_time, **columns)


def _bent(
    column: NDArray[np.float64], start: int, stop: int, factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    changed = column.copy()
    changed[..., start:stop] *= factors
    return changed
