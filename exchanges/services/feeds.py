"""Who needs which candles, and whose turn it is to be fetched."""

from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Least, Now

from exchanges.models import CandleFeed, FeedHold, Instrument, Venue
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional
from market.errors import ConflictError
from market.timeframes import Timeframe

#: Feeds that become due until the next tick are claimed already; their task waits for the exact moment.
LOOKAHEAD_S: Final = 1.0

_FEEDS_PER_TICK: Final = 1_000
#: A task is done within two time-outs of its venue (see ``fetching``); a lost one is noticed that soon.
_LEASE_IN_TIMEOUTS: Final = 2

_CLAIM: Final = """
    UPDATE exchanges_candlefeed AS feed
    SET lease_until = now() + %s * interval '1 second', epoch = feed.epoch + 1
    FROM exchanges_instrument instrument
    WHERE instrument.id = feed.instrument_id AND feed.id IN (
        SELECT due.id FROM exchanges_candlefeed due
        JOIN exchanges_instrument i ON i.id = due.instrument_id AND i.is_active
        JOIN exchanges_venue v ON v.id = i.venue_id AND v.is_active AND v.ccxt_id <> ''
        WHERE due.next_due_at <= now() + %s * interval '1 second'
          AND (due.lease_until IS NULL OR due.lease_until < now())
          AND EXISTS (SELECT FROM exchanges_feedhold hold WHERE hold.feed_id = due.id)
        ORDER BY due.next_due_at
        LIMIT %s
        FOR UPDATE OF due SKIP LOCKED
    )
    RETURNING instrument.venue_id, feed.timeframe
"""


class VenueOfflineError(ConflictError):
    """The venue's candles are imported; there is nobody to ask for new ones."""

    code = "venue_offline"

    def __init__(self, venue: Venue) -> None:
        super().__init__(f"{venue.name} is offline: its candles are only imported.")


@part_of_transaction
def hold(
    *, instrument_id: int, timeframe: Timeframe, holder: str, backfill_from_at: datetime
) -> CandleFeed:
    """Keep the candles of a series coming, from *backfill_from_at* on, until the same *holder* releases it.

    *holder* is a name of the caller's, such as ``group:12``; holding twice is holding once. Raise
    VenueOfflineError for a venue that cannot be asked.
    """
    instrument = Instrument.objects.select_related("venue").get(pk=instrument_id)
    if not instrument.venue.ccxt_id:
        raise VenueOfflineError(instrument.venue)
    feed, created = CandleFeed.objects.get_or_create(
        instrument=instrument,
        timeframe=timeframe.value,
        defaults={"backfill_from_at": backfill_from_at},
    )
    _, is_new = FeedHold.objects.get_or_create(feed=feed, holder=holder)
    if not created and (is_new or backfill_from_at < feed.backfill_from_at):
        CandleFeed.objects.filter(pk=feed.pk).update(
            backfill_from_at=Least(F("backfill_from_at"), backfill_from_at),
            next_due_at=Now(),
            failures=0,
        )
    return feed


@part_of_transaction
def release(*, instrument_id: int, timeframe: Timeframe, holder: str) -> None:
    """Say that *holder* needs the series no more; without holders a feed rests, what is stored stays."""
    FeedHold.objects.filter(
        feed__instrument_id=instrument_id, feed__timeframe=timeframe.value, holder=holder
    ).delete()


@transactional
def claim_due_feeds() -> int:
    """Lease the feeds that are due to one task per venue and timeframe; return how many feeds that were.

    If a task's message is lost, the lease runs out and the next tick claims its feeds again.
    """
    lease_s = _LEASE_IN_TIMEOUTS * settings.HORIZONS.venue_timeout_s
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [lease_s, LOOKAHEAD_S, _FEEDS_PER_TICK])
        claimed = cursor.fetchall()
    for venue_id, timeframe in sorted(set(claimed)):
        enqueue_on_commit("exchanges.ingest_candles", venue_id=venue_id, timeframe=timeframe)
    return len(claimed)
