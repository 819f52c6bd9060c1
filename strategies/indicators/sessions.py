"""Hours of a market in its own time zone, and what bars do in them.

Days are numbered from 1970-01-01 and belong to a zone; instants are milliseconds UTC. The rules of
zones are asked once for each day, never for each bar.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles
from market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, to_milliseconds

#: A minute of the day that stands for its end: the next midnight.
END_OF_DAY: Final = 24 * 60
#: The longest local day: one on which clocks go back.
LONGEST_DAY_MS: Final = DAY_MS + HOUR_MS

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  a date on the wall, in whatever zone
#: 1970-01-01 was a Thursday, and Monday is day 0 of a week.
_EPOCH_WEEKDAY: Final = 3
_WEEKEND: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class LocalDays:
    """The days of a zone that bars lie in.

    Parameters
    ----------
    numbers
        Of each day, consecutive: shape ``(days,)``.
    of_bar
        Which of them each bar opens on, as an index: shape ``(n,)``.
    """

    zone: ZoneInfo
    numbers: NDArray[np.int64]
    of_bar: NDArray[np.int64]

    def at(self, minute: int) -> NDArray[np.int64]:
        """Return the instant of each day at which clocks show *minute*: shape ``(days,)``."""
        return instants(self.numbers, self.zone, minute)

    def are_weekdays(self) -> NDArray[np.bool_]:
        """Tell for each day whether it is one from Monday to Friday."""
        workday: NDArray[np.bool_] = (self.numbers + _EPOCH_WEEKDAY) % 7 < _WEEKEND
        return workday

    def number_of_bar(self) -> NDArray[np.int64]:
        """Return the number of the day that each bar opens on: shape ``(n,)``."""
        return self.numbers[self.of_bar]

    def begin(self) -> NDArray[np.bool_]:
        """Tell for each bar whether the bar in front of it opens on another day."""
        first = np.zeros(len(self.of_bar), dtype=np.bool_)
        first[1:] = self.of_bar[1:] != self.of_bar[:-1]
        return first


class Range(NamedTuple):
    """The highest high and lowest low of a stretch of each day, NaN where too few bars are there."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]


def minute_of(clock: str) -> int:
    """Return ``"09:30"`` as a minute of the day; raise ValueError for anything else."""
    hour, colon, minute = clock.partition(":")
    digits = hour + minute
    if (
        not colon
        or len(hour) != 2
        or len(minute) != 2
        or not digits.isascii()
        or not digits.isdigit()
    ):
        raise ValueError(f"{clock!r} is no time of day.")
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"{clock!r} is no time of day.")
    return 60 * int(hour) + int(minute)


def instants(days: NDArray[np.int64], zone: ZoneInfo, minute: int) -> NDArray[np.int64]:
    """Return when clocks in *zone* show *minute* on each of *days*, in ms UTC.

    A time that clocks show twice is the first one; one that they skip is taken as if they did not.
    """
    walls = (_EPOCH + timedelta(days=day, minutes=minute) for day in days.tolist())
    return np.array([to_milliseconds(wall.replace(tzinfo=zone)) for wall in walls], dtype=np.int64)


def local_days(times: NDArray[np.int64], zone: ZoneInfo) -> LocalDays:
    """Return the days of *zone* that *times* (ms UTC, increasing, shape ``(n,)``) lie in."""
    if not len(times):
        empty = np.zeros(0, dtype=np.int64)
        return LocalDays(zone, empty, empty)
    # No zone is a whole day away from UTC.
    numbers = np.arange(times[0] // DAY_MS - 1, times[-1] // DAY_MS + 2, dtype=np.int64)
    midnights = instants(numbers, zone, 0)
    of_bar = np.searchsorted(midnights, times, side="right").astype(np.int64) - 1
    first, last = of_bar[0], of_bar[-1]
    return LocalDays(zone, numbers[first : last + 1], of_bar - first)


def marks_of_day(zone: ZoneInfo, minute: int) -> tuple[int, ...]:
    """Return when, in ms of the UTC day, clocks in *zone* show *minute* in the course of a year."""
    months = np.arange("2024-01", "2025-01", dtype="datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64)
    return tuple(np.unique(instants(days, zone, minute) % DAY_MS).tolist())


def ranges(
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    *,
    first: NDArray[np.intp],
    stop: NDArray[np.intp],
    at_least: int | NDArray[np.int64],
) -> Range:
    """Return the range of bars ``[first, stop)`` for each day, of shape ``(days,)``.

    A day with fewer than *at_least* of them (one or more; for all days or for each) has none.
    """
    highs, lows = np.full(len(first), np.nan), np.full(len(first), np.nan)
    for day in np.flatnonzero(stop - first >= at_least).tolist():
        stretch = slice(first[day], stop[day])
        highs[day], lows[day] = high[stretch].max(), low[stretch].min()
    return Range(highs, lows)


class Sessions(NamedTuple):
    """The session of the local day that each bar opens on; all of shape ``(n,)``.

    ``high`` and ``low`` are its range, NaN where it has none, also on bars in front of it;
    ``ranged_at`` is when the range is complete. ``has_begun`` tells of bars that close after the
    session's begin, ``is_on`` also that what is decided at their close is filled before its end;
    ``begins`` tells whether the bar in front belongs to another day. On days without a session
    nothing has begun.
    """

    number: NDArray[np.int64]
    ranged_at: NDArray[np.int64]
    has_begun: NDArray[np.bool_]
    is_on: NDArray[np.bool_]
    begins: NDArray[np.bool_]
    high: NDArray[np.float64]
    low: NDArray[np.float64]


def sessions_of(
    candles: Candles,
    days: LocalDays,
    *,
    length: int,
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    since: NDArray[np.int64],
    ranged_at: NDArray[np.int64],
    at_least: int | NDArray[np.int64],
    weekdays_only: bool,
) -> Sessions:
    """Return the sessions of *candles*, with the range of the bars that close in part of each day.

    Parameters
    ----------
    days
        Those that the candles, whose bars last *length* ms, lie in.
    start, end
        When each day's session begins and ends, in ms UTC: shape ``(days,)``.
    since, ranged_at
        Bars that close after *since* and up to *ranged_at* make the range; *at_least* so many of
        them have to be there.
    weekdays_only
        Whether there are sessions from Monday to Friday only.
    """
    closes = candles.open_time + length
    found = ranges(
        candles.high,
        candles.low,
        first=np.searchsorted(closes, since, side="right"),
        stop=np.searchsorted(closes, ranged_at, side="right"),
        at_least=at_least,
    )
    held = days.are_weekdays() | (not weekdays_only)
    of_bar = days.of_bar
    has_begun = held[of_bar] & (closes > start[of_bar])
    return Sessions(
        number=days.number_of_bar(),
        ranged_at=ranged_at[of_bar],
        has_begun=has_begun,
        is_on=has_begun & (closes < end[of_bar]),
        begins=days.begin(),
        high=found.high[of_bar],
        low=found.low[of_bar],
    )


class EntryWindow(NamedTuple):
    """At which bars' closes a day's order is placed, and on how many bars it may wait then."""

    places: NDArray[np.bool_]
    bars: NDArray[np.int64]


def entry_window(
    closes_at: NDArray[np.int64],
    first: NDArray[np.bool_],
    *,
    length: int,
    begin: int,
    minutes: int,
) -> EntryWindow:
    """Return when the one order of each UTC day is placed whose price needs the day's open.

    Parameters
    ----------
    closes_at
        When in its day each bar closes, in ms, more than 0: shape ``(n,)``.
    first
        Whether each bar is the first one of its day, which tells the day's open at its close.
    length
        Of a bar, in ms; a whole number of them makes a day.
    begin, minutes
        The minute of the day at which the window begins, and its length.

    Returns
    -------
    The order waits on the bars that begin inside the window, but on none that begins before the
    first bar of the day could close, and on one at least. If the bar is missing at whose close it
    would be placed, a later one does it, for the bars that are left.
    """
    opens, ends = begin * MINUTE_MS, (begin + minutes) * MINUTE_MS
    placed = max(-(-opens // length) * length, length)
    until = placed + max(-(-(ends - placed) // length), 1) * length
    reached = closes_at >= placed
    again = np.zeros_like(reached)
    again[1:] = ~first[1:] & reached[:-1]
    return EntryWindow(reached & ~again & (closes_at < until), (until - closes_at) // length)


def day_is_over(
    closes_at: NDArray[np.int64], first: NDArray[np.bool_], minute: int
) -> NDArray[np.bool_]:
    """Tell which bars hold the *minute* at which a UTC day's trading ends, or come after it.

    Arguments as for ``entry_window``. Where a day has no such bar, the next day's first one counts.
    """
    over = closes_at > minute * MINUTE_MS
    late = np.zeros_like(over)
    late[1:] = first[1:] & ~over[:-1]
    return over | late
