"""What a strategy may see: closed bars only, of its own timeframe and of higher ones."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles
from market.timeframes import Timeframe

#: How much a view remembers of what was computed on it; beyond that it is computed again.
_REMEMBERED_BYTES: Final = 64 * 1024 * 1024


class HigherView(NamedTuple):
    """Completed bars of a higher timeframe, and which of them was the newest one when.

    ``last_closed[i]`` is the newest bar that was closed at base bar i's close, and
    ``closed_before[i]`` the newest one that was closed when base bar i opened; -1 where none was.
    """

    candles: Candles
    last_closed: NDArray[np.int64]
    closed_before: NDArray[np.int64]

    def at_base(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return *values*, one per higher bar, as known at the close of each base bar (or NaN)."""
        return _taken(values, self.last_closed)

    def at_open(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return *values*, one per higher bar, as known when each base bar opened (or NaN).

        All base bars of a day have the same value of the day before then, the last one as well.
        """
        return _taken(values, self.closed_before)


@dataclass(frozen=True, slots=True)
class MarketView:
    """The closed bars of one instrument in one timeframe, oldest first."""

    candles: Candles
    timeframe: Timeframe
    _remembered: dict[Hashable, NDArray[np.float64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def once(
        self, key: Hashable, compute: Callable[[], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Return what *compute* gives, computed once for each *key* and not to be changed.

        For lines that many combinations of parameters have in common, such as the average of the
        closes over one period.
        """
        found = self._remembered.get(key)
        if found is None:
            found = compute()
            size = found.nbytes + sum(each.nbytes for each in self._remembered.values())
            if size <= _REMEMBERED_BYTES:
                self._remembered[key] = found
        return found

    def higher(self, timeframe: Timeframe | str) -> HigherView:
        """Return the completed bars of a longer *timeframe*, made from the base bars.

        A bar that the history begins in the middle of is left out, and so is one that is not closed
        when the history ends; one with gaps is made from the base bars that are there. Raises
        ValueError if a bar of *timeframe* is not a whole number of base bars.
        """
        wanted = Timeframe(timeframe)
        if not wanted.is_made_of(self.timeframe):
            raise ValueError(f"{wanted} is not made of whole bars of {self.timeframe}.")
        times = self.candles.open_time
        opens = _opens_of(times, wanted)
        starts = np.flatnonzero(np.diff(opens, prepend=opens[:1] - 1)) if len(times) else times[:0]
        if len(starts) and times[starts[0]] != opens[starts[0]]:
            starts = starts[1:]
        closes = np.array(
            [wanted.close_of(each) for each in opens[starts].tolist()], dtype=np.int64
        )
        ends = np.append(starts[1:], len(times)) - 1
        decided_at = times + self.timeframe.milliseconds
        if len(closes) and closes[-1] > decided_at[-1]:
            starts, ends, closes = starts[:-1], ends[:-1], closes[:-1]
        return HigherView(
            _joined(self.candles, opens, starts, ends),
            np.searchsorted(closes, decided_at, side="right").astype(np.int64) - 1,
            np.searchsorted(closes, times, side="right").astype(np.int64) - 1,
        )


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


def _taken(values: NDArray[np.float64], indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the value at each of *indices*, NaN for -1."""
    if not len(values):
        return np.full(len(indices), np.nan)
    known: NDArray[np.float64] = values[np.maximum(indices, 0)].astype(np.float64)
    known[indices < 0] = np.nan
    return known


def _joined(
    base: Candles, opens: NDArray[np.int64], starts: NDArray[np.intp], ends: NDArray[np.intp]
) -> Candles:
    """Return one bar for each stretch of *base* from a start to its end, which follow each other."""
    if not len(starts):
        return Candles.empty()
    # A stretch ends where the next one starts; what follows the last one belongs to none.
    part = base.slice(0, int(ends[-1]) + 1)
    return Candles(
        np.ascontiguousarray(opens[starts]),
        np.ascontiguousarray(part.open[starts]),
        np.maximum.reduceat(part.high, starts),
        np.minimum.reduceat(part.low, starts),
        np.ascontiguousarray(part.close[ends]),
        np.add.reduceat(part.volume, starts),
    )


def _opens_of(times: NDArray[np.int64], timeframe: Timeframe) -> NDArray[np.int64]:
    """Return the open time of the bar of *timeframe* that each of *times* lies in."""
    if timeframe is Timeframe.MO1:
        months = times.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    origin = timeframe.open_of(0)
    length = timeframe.milliseconds
    opens: NDArray[np.int64] = times - (times - origin) % length
    return opens
