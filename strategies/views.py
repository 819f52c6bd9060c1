"""What a strategy may see: closed bars only, of its own timeframe and of higher ones."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles
from market.timeframes import Timeframe


class HigherView(NamedTuple):
    """Bars of a higher timeframe: ``last_closed[i]`` is the newest one closed at base bar i's close.

    -1 where none is closed yet.
    """

    candles: Candles
    last_closed: NDArray[np.int64]

    def at_base(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return *values*, one per higher bar, as known at the close of each base bar (or NaN)."""
        if not len(values):
            return np.full(len(self.last_closed), np.nan)
        known: NDArray[np.float64] = values[np.maximum(self.last_closed, 0)].astype(np.float64)
        known[self.last_closed < 0] = np.nan
        return known


@dataclass(frozen=True, slots=True)
class MarketView:
    """The closed bars of one instrument in one timeframe, oldest first."""

    candles: Candles
    timeframe: Timeframe

    def higher(self, timeframe: Timeframe | str) -> HigherView:
        """Return the completed bars of a longer *timeframe*, made from the base bars.

        A bar that the history begins in the middle of is left out; one with gaps is made from the
        base bars that are there. Raises ValueError if *timeframe* is not longer.
        """
        wanted = Timeframe(timeframe)
        if wanted.milliseconds <= self.timeframe.milliseconds:
            raise ValueError(f"{wanted} is not longer than the bars of {self.timeframe}.")
        times = self.candles.open_time
        opens = _opens_of(times, wanted)
        starts = np.flatnonzero(np.diff(opens, prepend=opens[:1] - 1)) if len(times) else times[:0]
        if len(starts) and times[starts[0]] != opens[starts[0]]:
            starts = starts[1:]
        if not len(starts):
            return HigherView(Candles.empty(), np.full(len(times), -1, dtype=np.int64))
        ends = np.append(starts[1:], len(times)) - 1
        base = self.candles
        higher = Candles(
            np.ascontiguousarray(opens[starts]),
            np.ascontiguousarray(base.open[starts]),
            np.maximum.reduceat(base.high, starts),
            np.minimum.reduceat(base.low, starts),
            np.ascontiguousarray(base.close[ends]),
            np.add.reduceat(base.volume, starts),
        )
        closes = np.array([wanted.close_of(each) for each in higher.open_time.tolist()])
        decided_at = times + self.timeframe.milliseconds
        last_closed = np.searchsorted(closes, decided_at, side="right").astype(np.int64) - 1
        return HigherView(higher, last_closed)


@dataclass(frozen=True, slots=True, eq=False)
class UniverseView:
    """The closed bars of many symbols on one time grid.

    ``open_time`` has shape ``(n,)``; the prices and ``volume`` (base units) have shape
    ``(symbols, n)`` and are NaN where a symbol has no bar: before its listing, after its delisting,
    in an outage.
    """

    symbols: tuple[str, ...]
    timeframe: Timeframe
    open_time: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.open_time)


def _opens_of(times: NDArray[np.int64], timeframe: Timeframe) -> NDArray[np.int64]:
    """Return the open time of the bar of *timeframe* that each of *times* lies in."""
    if timeframe is Timeframe.MO1:
        months = times.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    origin = timeframe.open_of(0)
    length = timeframe.milliseconds
    opens: NDArray[np.int64] = times - (times - origin) % length
    return opens
