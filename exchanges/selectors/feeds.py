"""How the feeds of candles are doing, for those whose work depends on them."""

from collections.abc import Sequence
from datetime import datetime

from exchanges.models import CandleFeed
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds


def any_behind(*, instrument_ids: Sequence[int], timeframe: Timeframe) -> bool:
    """Tell whether candles of *timeframe* of one of the instruments are behind."""
    return CandleFeed.objects.filter(
        instrument_id__in=instrument_ids,
        timeframe=timeframe.value,
        behind_since_at__isnull=False,
    ).exists()


def behind_by(*, bars: int, now: datetime) -> list[CandleFeed]:
    """Return the feeds that are behind and whose newest bar closed more than *bars* bars ago.

    A feed without any bar counts from when it was found to be behind.
    """
    rows = CandleFeed.objects.filter(behind_since_at__isnull=False).select_related(
        "instrument__venue"
    )
    return [feed for feed in rows.order_by("pk") if _too_old_at(feed, bars=bars) < now]


def _too_old_at(feed: CandleFeed, *, bars: int) -> datetime:
    """Return when the newest bar of *feed* is *bars* bars old."""
    timeframe = Timeframe(feed.timeframe)
    since = feed.last_open_at
    if since is None:
        since_ms = to_milliseconds(feed.behind_since_at or feed.created_at)
    else:
        since_ms = timeframe.close_of(to_milliseconds(since))
    return from_milliseconds(since_ms + bars * timeframe.milliseconds)
