"""Moving bars from the tail into chunks, and letting go of what is kept for a few days only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min

from exchanges.domain.chunking import bounds_of
from exchanges.models import CandleChunk, CandleFeed, CandleGap, CandleRevision, CandleTail
from exchanges.selectors import candles as candle_reads
from exchanges.services import candles as candle_store
from foundation.transactions import transactional
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds

#: A tail longer than this is sealed although its period has not ended: reading rows is slow.
LONGEST_TAIL: Final = 2_000
#: So many of the newest bars of a running period stay rows, where a late correction is cheap.
KEPT_ROWS: Final = 100
#: Bars shorter than a minute that a feed brought are kept this long.
SHORT_BARS_KEPT: Final = timedelta(days=7)

_SERIES_PER_RUN: Final = 200


@dataclass(frozen=True, slots=True)
class _Tail:
    instrument_id: int
    timeframe: Timeframe
    row_count: int
    first_open_at: datetime


def seal_due(*, now: datetime) -> int:
    """Seal every tail that is too long or whose period has passed; return how many bars that were."""
    return sum(
        seal_series(instrument_id=tail.instrument_id, timeframe=tail.timeframe, now=now)
        for tail in _due_tails(now)
    )


@transactional
def seal_series(*, instrument_id: int, timeframe: Timeframe, now: datetime) -> int:
    """Seal what is due of one series; return how many bars that were."""
    candle_store.lock_series(timeframe=timeframe, instrument_ids=[instrument_id])
    before_ms = bounds_of(timeframe, to_milliseconds(now))[0]
    rows = CandleTail.objects.filter(instrument_id=instrument_id, timeframe=timeframe.value)
    if rows.count() > LONGEST_TAIL:
        oldest_kept = rows.order_by("-open_at").values_list("open_at", flat=True)[KEPT_ROWS - 1]
        before_ms = max(before_ms, to_milliseconds(oldest_kept))
    tail = candle_reads.load_tail(
        instrument_id=instrument_id, timeframe=timeframe, from_ms=0, to_ms=before_ms
    )
    if len(tail):
        candle_store.merge_into_chunks(
            instrument_id=instrument_id, timeframe=timeframe, candles=tail
        )
    return len(tail)


@transactional
def prune_expired(*, now: datetime) -> int:
    """Delete bars shorter than a minute that feeds brought and that are too old; return how many."""
    horizon = now - SHORT_BARS_KEPT
    deleted = 0
    short = [t.value for t in Timeframe if t.milliseconds < MINUTE_MS]
    for feed in CandleFeed.objects.filter(timeframe__in=short).order_by("instrument_id", "pk"):
        candle_store.lock_series(
            timeframe=Timeframe(feed.timeframe), instrument_ids=[feed.instrument_id]
        )
        key = {"instrument_id": feed.instrument_id, "timeframe": feed.timeframe}
        chunks = CandleChunk.objects.filter(**key, last_open_at__lt=horizon)
        deleted += sum(chunks.values_list("row_count", flat=True))
        chunks.delete()
        deleted += CandleTail.objects.filter(**key, open_at__lt=horizon).delete()[0]
        CandleRevision.objects.filter(**key, open_at__lt=horizon).delete()
        kept = candle_reads.coverage(
            instrument_id=feed.instrument_id, timeframe=Timeframe(feed.timeframe)
        )
        gaps = CandleGap.objects.filter(**key)
        (gaps.filter(from_at__lt=kept.first_open_at) if kept else gaps).delete()
    return deleted


def _due_tails(now: datetime) -> list[_Tail]:
    grouped = CandleTail.objects.values("instrument_id", "timeframe").annotate(
        rows=Count("pk"), first=Min("open_at")
    )
    tails = [
        _Tail(row["instrument_id"], Timeframe(row["timeframe"]), row["rows"], row["first"])
        for row in grouped
    ]
    now_ms = to_milliseconds(now)
    due = [
        tail
        for tail in tails
        if tail.row_count > LONGEST_TAIL
        or tail.first_open_at < from_milliseconds(bounds_of(tail.timeframe, now_ms)[0])
    ]
    due.sort(key=lambda tail: tail.row_count, reverse=True)
    return due[:_SERIES_PER_RUN]
