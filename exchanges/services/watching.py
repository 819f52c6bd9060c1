"""Whether the candles that people wait for keep coming: a feed that falls behind is told of, and so is its return."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from exchanges.domain import feeding
from exchanges.events import FEED_BEHIND, FEED_CAUGHT_UP
from exchanges.models import CandleFeed, FeedHold
from exchanges.services.ingest import finality_ms
from foundation import events
from foundation.transactions import transactional
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds

logger = logging.getLogger(__name__)


@transactional
def watch_feeds(*, now: datetime) -> int:
    """Note which of the feeds that somebody needs are behind, and publish what has changed.

    Return how many are behind. While one stays behind it is told of again each hour, so that whoever
    has begun to depend on it since learns of it too.
    """
    needed = Exists(FeedHold.objects.filter(feed=OuterRef("pk"))) & Q(
        instrument__is_active=True, instrument__venue__is_active=True
    )
    behind = [feed for feed in CandleFeed.objects.filter(needed) if _is_behind(feed, now)]
    for feed in behind:
        _note_behind(feed, now)
    others = CandleFeed.objects.filter(behind_since_at__isnull=False)
    for feed in others.exclude(pk__in=[feed.pk for feed in behind]).order_by("pk"):
        _note_caught_up(feed, now)
    return len(behind)


def patience(timeframe: Timeframe) -> timedelta:
    """Return how long after its close a bar may be missing: until then it could still be entered on."""
    horizons = settings.HORIZONS
    wait_s = max(
        horizons.stale_s, min(timeframe.milliseconds / 1_000, horizons.stale_timeframe_cap_s)
    )
    return timedelta(seconds=wait_s, milliseconds=finality_ms(timeframe))


def _is_behind(feed: CandleFeed, now: datetime) -> bool:
    timeframe = Timeframe(feed.timeframe)
    patient = patience(timeframe)
    since = feed.last_open_at
    if since is None:
        # It has brought nothing yet; the first bar that it could bring is the one it was made in.
        since = from_milliseconds(timeframe.open_of(to_milliseconds(feed.created_at)) - 1)
    return feeding.is_behind(
        timeframe,
        last_open_ms=to_milliseconds(since),
        now_ms=to_milliseconds(now),
        patience_ms=int(patient / timedelta(milliseconds=1)),
        is_answered=_is_answered(feed, now, patient),
    )


def _is_answered(feed: CandleFeed, now: datetime, patient: timedelta) -> bool:
    answered_at = feed.answered_at
    return not feed.failures and answered_at is not None and answered_at >= now - patient


def _note_behind(feed: CandleFeed, now: datetime) -> None:
    horizon = now - timedelta(seconds=settings.HORIZONS.remind_s)
    untold = Q(behind_told_at=None) | Q(behind_told_at__lt=horizon)
    since = feed.behind_since_at or now
    # Of two watchers only one changes the row, and only that one publishes.
    changed = CandleFeed.objects.filter(untold, pk=feed.pk).update(
        behind_since_at=since, behind_told_at=now
    )
    if not changed:
        return
    reason = feed.last_error if feed.failures else ""
    logger.warning("feed.behind", extra={"feed_id": feed.pk, "reason": reason[:200]})
    events.publish(
        FEED_BEHIND,
        occurred_at=now,
        instrument_id=feed.instrument_id,
        timeframe=feed.timeframe,
        last_open_ms=None if feed.last_open_at is None else to_milliseconds(feed.last_open_at),
        reason=reason[:200],
    )


def _note_caught_up(feed: CandleFeed, now: datetime) -> None:
    changed = CandleFeed.objects.filter(pk=feed.pk, behind_since_at__isnull=False).update(
        behind_since_at=None, behind_told_at=None
    )
    if not changed:
        return
    logger.info("feed.caught_up", extra={"feed_id": feed.pk})
    events.publish(
        FEED_CAUGHT_UP,
        occurred_at=now,
        instrument_id=feed.instrument_id,
        timeframe=feed.timeframe,
    )
