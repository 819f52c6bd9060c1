"""From claimed feeds to stored bars and an event: ask with no transaction open, then store in one."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from exchanges.adapters import factory, loops
from exchanges.adapters.protocol import MarketData
from exchanges.domain import feeding
from exchanges.domain.feeding import FeedState
from exchanges.events import CANDLES_CLOSED
from exchanges.models import CandleFeed, Venue
from exchanges.services import candles as candle_store
from exchanges.services import quarantine
from exchanges.services.candles import SeriesBars
from exchanges.services.feeds import LOOKAHEAD_S
from exchanges.services.fetching import FeedTask, Fetched, Patience, VenueClock, fetch_feeds
from foundation import events
from foundation.transactions import transactional
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
MarketOf = Callable[[Venue], MarketData]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a task did: feeds with new bars, how many bars, and feeds whose venue did not answer."""

    feeds: int = 0
    bars: int = 0
    failed: int = 0


def ingest_due(
    *,
    venue_id: int,
    timeframe: Timeframe,
    clock: Clock,
    market_of: MarketOf = factory.market_data,
) -> Ingested:
    """Fetch and store what is new for the claimed feeds of one venue and timeframe.

    The feeds were leased by ``feeds.claim_due_feeds``. A task whose feeds were claimed anew in the meantime
    stores nothing of them: their epoch has moved on.
    """
    venue = Venue.objects.get(pk=venue_id)
    tasks, due_at = _claimed_tasks(venue, timeframe, now=clock())
    if not tasks:
        return Ingested()
    horizons = settings.HORIZONS
    venue_clock = VenueClock(
        now=clock,
        offset_ms=venue.clock_offset_ms,
        finality_ms=finality_ms(timeframe),
    )
    market = market_of(venue)
    pause_s = (due_at - clock()).total_seconds()

    async def fetch() -> list[Fetched]:
        try:
            await asyncio.sleep(min(max(pause_s, 0.0), LOOKAHEAD_S))
            return await fetch_feeds(
                market,
                tasks=tasks,
                clock=venue_clock,
                patience=Patience(horizons.venue_timeout_s, horizons.reread_s),
            )
        finally:
            await market.close()

    fetched = loops.run(fetch())
    return _store(timeframe=timeframe, fetched=fetched, clock=venue_clock, now=clock())


def finality_ms(timeframe: Timeframe) -> int:
    """Return how long after its close a bar of *timeframe* may still change at its venue."""
    horizons = settings.HORIZONS
    return feeding.grace_ms(
        timeframe,
        short_ms=int(horizons.finality_s * 1_000),
        long_ms=int(horizons.finality_long_s * 1_000),
    )


def _claimed_tasks(
    venue: Venue, timeframe: Timeframe, *, now: datetime
) -> tuple[list[FeedTask], datetime]:
    """Return the leased feeds that are due, and when the last of them is."""
    rows = (
        CandleFeed.objects.select_related("instrument")
        .filter(
            instrument__venue=venue,
            timeframe=timeframe.value,
            lease_until__gt=Now(),
            next_due_at__lte=Now() + timedelta(seconds=LOOKAHEAD_S),
        )
        .order_by("pk")
    )
    tasks = [
        FeedTask(feed.pk, feed.epoch, feed.instrument_id, feed.instrument.symbol, _state(feed, now))
        for feed in rows
    ]
    return tasks, max((feed.next_due_at for feed in rows), default=now)


def _state(feed: CandleFeed, now: datetime) -> FeedState:
    timeframe = Timeframe(feed.timeframe)
    return FeedState(
        timeframe=timeframe,
        last_open_ms=_milliseconds(feed.last_open_at),
        wanted_from_ms=feeding.wanted_from(
            timeframe, to_milliseconds(feed.backfill_from_at), now_ms=to_milliseconds(now)
        ),
        asked_from_ms=_milliseconds(feed.backfilled_from_at),
    )


@transactional
def _store(
    *, timeframe: Timeframe, fetched: Sequence[Fetched], clock: VenueClock, now: datetime
) -> Ingested:
    """Store all answers, move the feeds on and tell the subscribers, all or nothing."""
    feeds = {
        feed.pk: feed
        for feed in CandleFeed.objects.select_for_update(of=("self",))
        .filter(pk__in=[answer.task.feed_id for answer in fetched])
        .order_by("pk")
    }
    current = [
        answer for answer in fetched if feeds[answer.task.feed_id].epoch == answer.task.epoch
    ]
    batches = [
        SeriesBars(answer.task.instrument_id, answer.candles)
        for answer in current
        if len(answer.candles)
    ]
    stored = candle_store.append_closed(timeframe=timeframe, batches=batches) if batches else {}
    quarantine.settle(timeframe=timeframe, batches=batches, now=now)
    told: dict[int, list[int]] = {}
    for answer in current:
        feed = feeds[answer.task.feed_id]
        quarantine.keep(
            instrument_id=feed.instrument_id, timeframe=timeframe, refused=answer.refused, now=now
        )
        if answer.problem:
            _put_off(feed, answer.problem, now=now)
        elif answer.was_reached and _advance(feed, answer, clock=clock, now=now):
            close_ms = timeframe.close_of(int(answer.candles.open_time[-1]))
            told.setdefault(close_ms, []).append(feed.instrument_id)
        feed.epoch = F("epoch") + 1
        feed.lease_until = None
    CandleFeed.objects.bulk_update(
        [feeds[answer.task.feed_id] for answer in current],
        [
            "last_open_at",
            "backfilled_from_at",
            "next_due_at",
            "lease_until",
            "epoch",
            "failures",
            "last_error",
            "answered_at",
        ],
    )
    for close_ms, instrument_ids in told.items():
        events.publish(
            CANDLES_CLOSED,
            occurred_at=now,
            instrument_ids=instrument_ids,
            timeframe=timeframe.value,
            last_close_ms=close_ms,
        )
    return Ingested(
        feeds=sum(map(len, told.values())),
        bars=sum(outcome.added for outcome in stored.values()),
        failed=sum(bool(answer.problem) for answer in current),
    )


def _advance(feed: CandleFeed, answer: Fetched, *, clock: VenueClock, now: datetime) -> bool:
    """Move the feed on; return whether the subscribers have to know: a new bar, or history now complete."""
    before = answer.task.state
    now_state = _state(feed, now)
    was_complete = before.asked_from_ms is not None and (
        before.asked_from_ms <= before.wanted_from_ms
    )
    is_complete = (
        answer.asked_from_ms is not None and answer.asked_from_ms <= now_state.wanted_from_ms
    )
    last_ms = before.last_open_ms
    is_newer = len(answer.candles) > 0 and (
        last_ms is None or int(answer.candles.open_time[-1]) > last_ms
    )
    if is_newer:
        last_ms = int(answer.candles.open_time[-1])
        feed.last_open_at = from_milliseconds(last_ms)
    if answer.asked_from_ms is not None and last_ms is not None:
        feed.backfilled_from_at = from_milliseconds(answer.asked_from_ms)
    feed.next_due_at = from_milliseconds(
        feeding.next_due(
            FeedState(before.timeframe, last_ms, now_state.wanted_from_ms, answer.asked_from_ms),
            newest_ms=answer.newest_ms,
            now_ms=to_milliseconds(now),
            venue_offset_ms=clock.offset_ms,
            finality_ms=clock.finality_ms,
            is_complete=is_complete,
        )
    )
    feed.failures, feed.last_error, feed.answered_at = 0, "", now
    return len(answer.candles) > 0 and is_complete and (is_newer or not was_complete)


def _put_off(feed: CandleFeed, problem: str, *, now: datetime) -> None:
    feed.failures += 1
    feed.last_error = problem[:300]
    delay_s = feeding.retry_delay_s(feed.failures, jitter=random.random())  # noqa: S311  spreads calls
    feed.next_due_at = now + timedelta(seconds=delay_s)
    logger.warning(
        "feed.put_off",
        extra={"feed_id": feed.pk, "failures": feed.failures, "reason": problem[:200]},
    )


def _milliseconds(instant: datetime | None) -> int | None:
    return None if instant is None else to_milliseconds(instant)
