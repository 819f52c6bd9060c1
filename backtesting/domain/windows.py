"""Which bars a run reads and on which of them it may trade.

Instants are milliseconds since 1970 in UTC. A window ``[from, to)`` is in open times of bars.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles
from market.errors import InvalidInputError
from market.timeframes import Timeframe, from_milliseconds

#: A decision at one bar's close fills at the next bar's open, so one bar alone shows nothing.
MINIMUM_TRADABLE_BARS: Final = 2


class NoCandlesError(InvalidInputError):
    """The window has no stored candles."""

    code = "no_candles"


class WindowTooShortError(InvalidInputError):
    """The warm-up leaves too few bars to trade on."""

    code = "window_too_short"


@dataclass(frozen=True, slots=True)
class Stored:
    """The stretch of stored candles: the open times of its first and last bar."""

    first_open_ms: int
    last_open_ms: int


@dataclass(frozen=True, slots=True)
class Window:
    """A window on the grid of its timeframe: ``from_ms`` is a bar's open, ``to_ms`` a bar's close.

    ``load_from_ms`` is where reading begins, early enough for the warm-up even past some gaps.
    """

    timeframe: Timeframe
    load_from_ms: int
    from_ms: int
    to_ms: int

    @classmethod
    def with_warm_up(
        cls, timeframe: Timeframe, from_ms: int, to_ms: int, *, warm_up_bars: int
    ) -> Self:
        """Return the window, read from twice its warm-up on: gaps rarely delay its start then."""
        return cls(timeframe, from_ms - 2 * warm_up_bars * timeframe.milliseconds, from_ms, to_ms)

    @property
    def asked_bars(self) -> int:
        """How many bars the window itself has, without its warm-up; a little high for calendar months."""
        return max(self.to_ms - self.from_ms, 0) // self.timeframe.milliseconds

    @property
    def estimated_bars(self) -> int:
        """How many bars there are to read at most; a little high for calendar months."""
        return max(self.to_ms - self.load_from_ms, 0) // self.timeframe.milliseconds


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """The bars that a run works on, and the index of the first one that it may trade on."""

    candles: Candles
    start_index: int

    @property
    def trade_from_ms(self) -> int:
        """Open time of the first bar at whose close a position may be decided."""
        return int(self.candles.open_time[self.start_index])


def window_on_grid(
    *, timeframe: Timeframe, from_ms: int, to_ms: int, warm_up_bars: int, stored: Stored
) -> Window:
    """Return the bars that lie wholly in ``[from_ms, to_ms)`` and are stored, with their warm-up.

    Raises NoCandlesError or WindowTooShortError, as far as the ends of the stored stretch tell;
    gaps show only when the bars are read.
    """
    first = timeframe.open_of(from_ms)
    if first < from_ms:
        first = timeframe.close_of(first)
    stored_end_ms = timeframe.close_of(stored.last_open_ms)
    last = min(timeframe.open_of(to_ms), stored_end_ms)
    begin = max(first, stored.first_open_ms)
    if begin >= last:
        raise NoCandlesError(
            f"There are candles from {_text(stored.first_open_ms)} to {_text(stored_end_ms)}, "
            "and no whole one in this window."
        )
    length = timeframe.milliseconds
    earlier = max(begin - stored.first_open_ms, 0) // length
    missing = max(warm_up_bars - earlier, 0)
    left = (last - begin) // length - missing
    if left < MINIMUM_TRADABLE_BARS:
        raise _too_short(warm_up_bars, max(left, 0), stored.first_open_ms)
    return Window.with_warm_up(timeframe, begin, last, warm_up_bars=warm_up_bars)


def stretch_of(candles: Candles, window: Window, *, warm_up_bars: int) -> Stretch:
    """Return exactly the warm-up bars in front of the window, if there are so many, and the window.

    Raises NoCandlesError or WindowTooShortError.
    """
    begin, end = stretch_bounds(candles.open_time, window, warm_up_bars=warm_up_bars)
    return Stretch(candles.slice(begin, end), start_index=warm_up_bars)


def stretch_bounds(
    open_time: NDArray[np.int64], window: Window, *, warm_up_bars: int
) -> tuple[int, int]:
    """Return where the warm-up begins and the window ends among bars that open at *open_time*.

    Raises NoCandlesError or WindowTooShortError.
    """
    first, last = np.searchsorted(open_time, [window.from_ms, window.to_ms]).tolist()
    if first == last:
        raise NoCandlesError(
            f"There are no candles from {_text(window.from_ms)} to {_text(window.to_ms)}."
        )
    begin = max(first - warm_up_bars, 0)
    left = last - begin - warm_up_bars
    if left < MINIMUM_TRADABLE_BARS:
        raise _too_short(warm_up_bars, max(left, 0), int(open_time[0]))
    return begin, last


def missing_bars(timeframe: Timeframe, from_ms: int, to_ms: int, *, bars: int) -> int:
    """Return how many bars of ``[from_ms, to_ms)``, which lies on the grid, are not among the *bars*."""
    if timeframe is not Timeframe.MO1:
        return max((to_ms - from_ms) // timeframe.milliseconds - bars, 0)
    months = 0
    while from_ms < to_ms:
        from_ms, months = timeframe.close_of(from_ms), months + 1
    return max(months - bars, 0)


def _too_short(warm_up_bars: int, left: int, first_open_ms: int) -> WindowTooShortError:
    return WindowTooShortError(
        f"The strategy warms up for {warm_up_bars} bars, candles begin at {_text(first_open_ms)}, "
        f"and {left} bars of this window are left to trade on; at least {MINIMUM_TRADABLE_BARS} "
        "are needed. Choose a longer or later window."
    )


def _text(instant_ms: int) -> str:
    return f"{from_milliseconds(instant_ms):%Y-%m-%d %H:%M} UTC"
