"""Rules about venues and markets: nothing is opened where prices, clocks or answers cannot be trusted.

Each ends by itself once its cause is over.
"""

from datetime import datetime, timedelta
from typing import Final

from exchanges.selectors import feeds, instruments
from exchanges.services import failing
from foundation.transactions import part_of_transaction, transactional
from market.matching import Bar
from trading.models import ReleaseRule, RestrictionCause
from trading.services import causes, checks, restrictions
from trading.services.causes import Found
from trading.services.frames import Frame

#: A price that moves further within one bar is not traded on until the next but one.
LARGEST_MOVE: Final = 0.2

#: A market whose newest bar is older than so many bars is not traded on.
MOST_BARS_BEHIND: Final = 2


def watch(*, now: datetime) -> None:
    """Set what calls for it, end what is over."""
    states = failing.failing_venues(now=now)
    # Without an answer nobody knows: what is in force stays, and each process goes by its own breaker.
    if states is not None:
        _keep_failing(states, now=now)
    _keep_skewed_clocks(now=now)
    _keep_stale(now=now)


@part_of_transaction
def note_move(frame: Frame, *, now: datetime) -> None:
    """Let nobody enter at a venue for a bar after the price of a market has leapt within one."""
    leaps = [each for each in frame.bars if _has_leapt(each.bar)]
    if not leaps:
        return
    until = leaps[-1].closed_at + timedelta(milliseconds=2 * frame.timeframe.milliseconds)
    if until <= now:
        return
    causes.impose(
        Found(
            restrictions.of_instrument(frame.instrument),
            f"{frame.instrument.symbol} has moved by more than 20 % within one bar.",
        ),
        cause=RestrictionCause.PRICE_MOVE,
        rule=ReleaseRule.AUTOMATIC,
        now=now,
        until=until,
    )


def _has_leapt(bar: Bar) -> bool:
    return bar.open > 0 and abs(bar.close / bar.open - 1) > LARGEST_MOVE


@transactional
def _keep_failing(found: list[failing.FailingVenue], *, now: datetime) -> None:
    """No entries at a venue that fails too often, or refuses our calls."""
    causes.keep(
        [Found(restrictions.of_venue(each.venue), each.reason) for each in found],
        cause=RestrictionCause.VENUE_FAILING,
        now=now,
    )


@transactional
def _keep_skewed_clocks(*, now: datetime) -> None:
    """No entries at a venue whose clock is too far from ours."""
    found = [
        Found(
            restrictions.of_venue(venue),
            f"Its clock is {venue.clock_offset_ms} ms ahead of ours.",
        )
        for venue in instruments.venues_with_skew(more_than_ms=checks.MOST_SKEW_MS)
    ]
    causes.keep(found, cause=RestrictionCause.CLOCK_SKEW, now=now)


@transactional
def _keep_stale(*, now: datetime) -> None:
    """No entries in a market of which a series that somebody needs is too old."""
    found = {
        feed.instrument_id: Found(
            restrictions.of_instrument(feed.instrument),
            f"The candles of {feed.timeframe} are more than {MOST_BARS_BEHIND} bars old.",
        )
        for feed in feeds.behind_by(bars=MOST_BARS_BEHIND, now=now)
    }
    causes.keep(found.values(), cause=RestrictionCause.STALE_DATA, now=now)
