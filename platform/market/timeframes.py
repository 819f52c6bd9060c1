"""Lengths of candles on the UTC grid.

Instants are integer milliseconds since 1970-01-01T00:00:00Z. Weeks start on Monday 00:00 UTC,
months on the first.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS

#: 1970-01-01 was a Thursday; the first Monday on or before it is three days earlier.
_WEEK_ORIGIN_MS: Final = -3 * DAY_MS


class Timeframe(StrEnum):
    """The length of a candle, named as exchanges do."""

    S1 = "1s"
    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MO1 = "1M"

    @property
    def milliseconds(self) -> int:
        """The length; for the calendar month its shortest, 28 days."""
        return _LENGTHS[self]

    def open_of(self, instant_ms: int) -> int:
        """Return the open time of the bar that contains *instant_ms*."""
        if self is Timeframe.MO1:
            return _month_start(instant_ms)
        origin = _WEEK_ORIGIN_MS if self is Timeframe.W1 else 0
        return instant_ms - (instant_ms - origin) % self.milliseconds

    def close_of(self, open_ms: int) -> int:
        """Return the close time (exclusive) of the bar that opens at *open_ms*."""
        if self is Timeframe.MO1:
            return _month_start(open_ms + 32 * DAY_MS)
        return open_ms + self.milliseconds

    def closes_of(self, open_times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return ``close_of`` for each of *open_times*, shape ``(n,)``."""
        if self is Timeframe.MO1:
            return np.array([self.close_of(each) for each in open_times.tolist()], dtype=np.int64)
        return open_times + self.milliseconds

    def is_made_of(self, shorter: "Timeframe") -> bool:
        """Tell whether every bar of this timeframe is a whole number of bars of the *shorter* one."""
        if shorter.milliseconds >= self.milliseconds:
            return False
        whole = DAY_MS if self is Timeframe.MO1 else self.milliseconds
        return whole % shorter.milliseconds == 0

    def is_on_grid(self, open_ms: int) -> bool:
        """Tell whether a bar of this timeframe may open at *open_ms*."""
        return self.open_of(open_ms) == open_ms


_LENGTHS: Final[dict[Timeframe, int]] = {
    Timeframe.S1: SECOND_MS,
    Timeframe.M1: MINUTE_MS,
    Timeframe.M3: 3 * MINUTE_MS,
    Timeframe.M5: 5 * MINUTE_MS,
    Timeframe.M15: 15 * MINUTE_MS,
    Timeframe.M30: 30 * MINUTE_MS,
    Timeframe.H1: HOUR_MS,
    Timeframe.H2: 2 * HOUR_MS,
    Timeframe.H4: 4 * HOUR_MS,
    Timeframe.H6: 6 * HOUR_MS,
    Timeframe.H8: 8 * HOUR_MS,
    Timeframe.H12: 12 * HOUR_MS,
    Timeframe.D1: DAY_MS,
    Timeframe.D3: 3 * DAY_MS,
    Timeframe.W1: WEEK_MS,
    Timeframe.MO1: 28 * DAY_MS,
}


def to_milliseconds(instant: datetime) -> int:
    """Return an aware *instant* as milliseconds; raise ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError("An instant needs a time zone.")
    delta = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000


def from_milliseconds(instant_ms: int) -> datetime:
    """Return *instant_ms* as an aware UTC datetime, exact to the millisecond."""
    seconds, milliseconds = divmod(instant_ms, 1_000)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=milliseconds * 1_000)


def _month_start(instant_ms: int) -> int:
    first = from_milliseconds(instant_ms).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return to_milliseconds(first)
