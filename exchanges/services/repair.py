"""Holes among the candles of feeds: the venue is asked again, until it gives the bars or denies them twice."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q

from exchanges.adapters import factory, loops
from exchanges.adapters.governor import CallPriority, calling_as
from exchanges.adapters.protocol import MarketData
from exchanges.domain import checks, feeding, merging
from exchanges.models import CandleGap, FeedHold, Venue
from exchanges.services import candles as candle_store
from exchanges.services.candles import SeriesBars
from foundation.transactions import part_of_transaction, transactional
from market.candles import CandleRow, Candles
from market.errors import VenueError
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds

logger = logging.getLogger(__name__)

#: A hole counts as one of the venue's own after it was denied so often.
DENIALS_NEEDED: Final = 2

_GAPS_AT_ONCE: Final = 200
_CONCURRENCY: Final = 4

Clock = Callable[[], datetime]
MarketOf = Callable[[Venue], MarketData]


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a run did: bars that were found, holes that are now confirmed, questions that failed."""

    bars: int = 0
    confirmed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a venue said to one hole: its rows from the hole's start on, or None if it did not answer."""

    gap: CandleGap
    rows: Sequence[CandleRow] | None


def repair_gaps(*, clock: Clock, market_of: MarketOf = factory.market_data) -> Repaired:
    """Ask again for holes in the series that somebody needs, and store what comes.

    A hole that the venue passes over twice, some time apart, is confirmed and not asked for again.
    """
    gaps = _claim_due(now=clock())
    by_venue = groupby(gaps, key=lambda gap: gap.instrument.venue)
    # Clients are made outside of the loop that uses them.
    asked = [(market_of(venue), list(of_venue)) for venue, of_venue in by_venue]
    with calling_as(CallPriority.BACKFILL):
        answers = loops.run(_ask_all(asked))
    done = [_conclude(answer, now=clock()) for answer in answers]
    return Repaired(
        bars=sum(each.bars for each in done),
        confirmed=sum(each.confirmed for each in done),
        failed=sum(each.failed for each in done),
    )


@part_of_transaction
def note_denied(
    *, instrument_id: int, timeframe: Timeframe, from_ms: int, to_ms: int, now: datetime
) -> int:
    """Note that the venue has no bars that open in ``[from_ms, to_ms)``; return the holes now confirmed."""
    inside = CandleGap.objects.filter(
        instrument_id=instrument_id,
        timeframe=timeframe.value,
        from_at__gte=from_milliseconds(from_ms),
        to_at__lte=from_milliseconds(to_ms),
        confirmed_at=None,
    )
    inside.update(denials=F("denials") + 1, asked_at=now)
    return inside.filter(denials__gte=DENIALS_NEEDED).update(confirmed_at=now)


@transactional
def _claim_due(*, now: datetime) -> list[CandleGap]:
    """Return holes that are to be asked for, marked as asked: another worker takes others."""
    held = FeedHold.objects.filter(
        feed__instrument=OuterRef("instrument"), feed__timeframe=OuterRef("timeframe")
    )
    asked_before = now - timedelta(seconds=settings.HORIZONS.gap_s)
    due = (
        CandleGap.objects.filter(
            Q(asked_at=None) | Q(asked_at__lt=asked_before),
            Exists(held),
            confirmed_at=None,
            instrument__is_active=True,
            instrument__venue__is_active=True,
        )
        .exclude(instrument__venue__ccxt_id="")
        .select_for_update(of=("self",), skip_locked=True)
        .order_by(F("asked_at").asc(nulls_first=True), "-from_at", "pk")[:_GAPS_AT_ONCE]
    )
    ids = [gap.pk for gap in due]
    CandleGap.objects.filter(pk__in=ids).update(asked_at=now)
    return list(
        CandleGap.objects.select_related("instrument__venue")
        .filter(pk__in=ids)
        .order_by("instrument__venue_id", "pk")
    )


async def _ask_all(asked: Sequence[tuple[MarketData, list[CandleGap]]]) -> list[_Answer]:
    of_venues = await asyncio.gather(*(_ask(market, gaps) for market, gaps in asked))
    return [answer for answers in of_venues for answer in answers]


async def _ask(market: MarketData, gaps: Sequence[CandleGap]) -> list[_Answer]:
    """Return what the venue says to each hole; those for which there is no time left stay unanswered."""
    gate = asyncio.Semaphore(_CONCURRENCY)
    timeout_s = settings.HORIZONS.venue_timeout_s
    until_s = asyncio.get_running_loop().time() + timeout_s / 2

    async def ask(gap: CandleGap) -> _Answer:
        try:
            async with gate, asyncio.timeout(timeout_s):
                if asyncio.get_running_loop().time() > until_s:
                    return _Answer(gap, None)
                rows = await market.candles(
                    gap.instrument.symbol,
                    Timeframe(gap.timeframe),
                    since_ms=to_milliseconds(gap.from_at),
                    # One more than is missing: the bar behind the hole shows that it was passed over.
                    limit=min(gap.missing + 1, feeding.PAGE_BARS),
                )
        except (VenueError, TimeoutError) as error:
            logger.info("gap.unanswered", extra={"gap_id": gap.pk, "reason": type(error).__name__})
            return _Answer(gap, None)
        return _Answer(gap, rows)

    try:
        return list(await asyncio.gather(*(ask(gap) for gap in gaps)))
    finally:
        await market.close()


@transactional
def _conclude(answer: _Answer, *, now: datetime) -> Repaired:
    """Store what was found, or note that the venue passes over the hole."""
    gap, rows = answer.gap, answer.rows
    if rows is None:
        return Repaired(failed=1)
    timeframe = Timeframe(gap.timeframe)
    from_ms, to_ms = to_milliseconds(gap.from_at), to_milliseconds(gap.to_at)
    inside = Candles.from_rows([row for row in rows if from_ms <= row[0] < to_ms])
    possible = merging.take(
        inside, checks.sound(inside) & checks.on_grid(inside.open_time, timeframe)
    )
    if len(possible):
        stored = candle_store.append_closed(
            timeframe=timeframe, batches=[SeriesBars(gap.instrument_id, possible)]
        )
        return Repaired(bars=stored[gap.instrument_id].added)
    if not any(row[0] >= to_ms for row in rows):
        # An empty answer proves nothing: the venue has bars behind the hole and did not tell of them.
        return Repaired()
    confirmed = note_denied(
        instrument_id=gap.instrument_id,
        timeframe=timeframe,
        from_ms=from_ms,
        to_ms=to_ms,
        now=now,
    )
    return Repaired(confirmed=confirmed)
