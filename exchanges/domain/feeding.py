"""What a feed has to ask a venue for, and when it has to ask again."""

from dataclasses import dataclass
from typing import Final

from market.timeframes import DAY_MS, MINUTE_MS, SECOND_MS, Timeframe

#: Bars per question; venues cut it to what they allow.
PAGE_BARS: Final = 1_000
#: Questions per feed and task; the rest is asked in the next one.
PAGES_PER_TASK: Final = 10
#: So many of the newest known bars are read again, to see whether the venue has changed them.
REREAD_BARS: Final = 2
#: How far back bars shorter than a minute are asked for: they are not kept longer.
SHORT_BARS_MS: Final = 7 * DAY_MS
#: A venue that answers, but without a newer bar, may only have had no trade for so many bars.
QUIET_BARS: Final = 3

_SHORT_GRACE_UP_TO_MS: Final = 5 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class FeedState:
    """How far a feed has come; milliseconds, open times of bars.

    ``wanted_from_ms`` is how far back somebody needs it, ``asked_from_ms`` how far back has been asked.
    """

    timeframe: Timeframe
    last_open_ms: int | None
    wanted_from_ms: int
    asked_from_ms: int | None


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """Ask for bars from ``since_ms`` on; ``asked_from_ms`` holds once that has been done."""

    since_ms: int
    asked_from_ms: int


def newest_closed(timeframe: Timeframe, venue_now_ms: int, *, finality_ms: int) -> int:
    """Return the open time of the newest bar that counts as final at *venue_now_ms*."""
    return timeframe.open_of(timeframe.open_of(venue_now_ms - finality_ms) - 1)


def grace_ms(timeframe: Timeframe, *, short_ms: int, long_ms: int) -> int:
    """Return how long after its close a bar may still be corrected, and so is not final."""
    return short_ms if timeframe.milliseconds <= _SHORT_GRACE_UP_TO_MS else long_ms


def wanted_from(timeframe: Timeframe, backfill_from_ms: int, *, now_ms: int) -> int:
    """Return the open time of the first bar that is really asked for."""
    if timeframe.milliseconds < MINUTE_MS:
        backfill_from_ms = max(backfill_from_ms, now_ms - SHORT_BARS_MS)
    return timeframe.open_of(backfill_from_ms)


def plan_forward(state: FeedState, newest_ms: int) -> ForwardPlan:
    """Return where to go on from.

    A new feed, and one that is far behind, begins with the newest page: what trades needs that first, the
    history before it follows backward (``plan_backward``).
    """
    timeframe, last = state.timeframe, state.last_open_ms
    length = timeframe.milliseconds
    if last is None or state.asked_from_ms is None:
        start = _start_of_newest_page(state, newest_ms)
        return ForwardPlan(start, start)
    if (newest_ms - last) // length > PAGE_BARS * PAGES_PER_TASK // 2:
        start = max(_start_of_newest_page(state, newest_ms), last)
        return ForwardPlan(start, start)
    since = timeframe.open_of(last - REREAD_BARS * length)
    return ForwardPlan(since, state.asked_from_ms)


def plan_backward(state: FeedState, asked_from_ms: int) -> tuple[int, int] | None:
    """Return the open times ``[from, to)`` of the next page of history, or None if there is no need."""
    if asked_from_ms <= state.wanted_from_ms:
        return None
    timeframe = state.timeframe
    start = timeframe.open_of(asked_from_ms - PAGE_BARS * timeframe.milliseconds)
    return max(start, state.wanted_from_ms), asked_from_ms


def next_due(
    state: FeedState,
    *,
    newest_ms: int,
    now_ms: int,
    venue_offset_ms: int,
    finality_ms: int,
    is_complete: bool,
) -> int:
    """Return when to ask again, by our clock: at once if history is missing, else as the next bar becomes final.

    A bar that should be there and is not is asked for again soon.
    """
    timeframe = state.timeframe
    if not is_complete:
        return now_ms
    if state.last_open_ms is not None and state.last_open_ms < newest_ms:
        return now_ms + min(5 * SECOND_MS, max(SECOND_MS // 2, timeframe.milliseconds // 10))
    following = timeframe.close_of(newest_ms)
    return timeframe.close_of(following) + finality_ms - venue_offset_ms


def is_behind(
    timeframe: Timeframe, *, last_open_ms: int, now_ms: int, patience_ms: int, is_answered: bool
) -> bool:
    """Tell whether a feed lacks a bar that should long be there, *patience_ms* after its close.

    While the venue answers, QUIET_BARS may be missing: a market without trades has no bars at some venues.
    """
    quiet_bars = QUIET_BARS if is_answered else 1
    expected_ms = newest_closed(timeframe, now_ms, finality_ms=patience_ms)
    for _ in range(quiet_bars - 1):
        expected_ms = timeframe.open_of(expected_ms - 1)
    return last_open_ms < expected_ms


def retry_delay_s(failures: int, *, jitter: float) -> float:
    """Return the pause after so many failures in a row; *jitter* in ``[0, 1)`` spreads the callers."""
    pause: float = min(60.0, 2.0 ** min(failures - 1, 6))
    return pause * (0.5 + jitter / 2)


def _start_of_newest_page(state: FeedState, newest_ms: int) -> int:
    start = state.timeframe.open_of(newest_ms - (PAGE_BARS - 1) * state.timeframe.milliseconds)
    return max(start, state.wanted_from_ms)
