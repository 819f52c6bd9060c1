"""The one way into the candle store: into chunks (imports, sealing) or into the tail (feeds)."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from numpy.typing import NDArray

from exchanges.domain import codec, merging
from exchanges.domain.chunking import split_by_chunk
from exchanges.domain.codec import EncodedChunk
from exchanges.domain.gaps import find_gaps
from exchanges.models import CandleChunk, CandleGap, CandleRevision, CandleTail
from exchanges.selectors import candles as candle_reads
from foundation.transactions import part_of_transaction
from market.candles import CandleRow, Candles
from market.timeframes import Timeframe, from_milliseconds

logger = logging.getLogger(__name__)

_TIMEFRAME_NUMBERS: Final = {timeframe: number for number, timeframe in enumerate(Timeframe)}

_SELECT_TAILS: Final = """
    SELECT tail.instrument_id, (extract(epoch FROM tail.open_at) * 1000)::bigint,
           tail.open, tail.high, tail.low, tail.close, tail.volume
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(id, first, last)
    JOIN exchanges_candletail tail ON tail.instrument_id = asked.id AND tail.timeframe = %s
     AND tail.open_at BETWEEN asked.first AND asked.last
    ORDER BY tail.instrument_id, tail.open_at
"""
_SELECT_SEALED: Final = """
    SELECT DISTINCT chunk.instrument_id
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(id, first, last)
    JOIN exchanges_candlechunk chunk ON chunk.instrument_id = asked.id AND chunk.timeframe = %s
     AND chunk.last_open_at >= asked.first AND chunk.first_open_at <= asked.last
"""
_SELECT_GAPPED: Final = """
    SELECT DISTINCT gap.instrument_id
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(id, first, last)
    JOIN exchanges_candlegap gap ON gap.instrument_id = asked.id AND gap.timeframe = %s
     AND gap.to_at > asked.first AND gap.from_at <= asked.last
"""
_UPSERT_TAIL: Final = """
    INSERT INTO exchanges_candletail AS tail
           (instrument_id, timeframe, open_at, open, high, low, close, volume, revision)
    SELECT bar.instrument_id, %s, timestamptz 'epoch' + bar.open_ms * interval '1 millisecond',
           bar.open, bar.high, bar.low, bar.close, bar.volume, 0
    FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],
                %s::float8[]) AS bar(instrument_id, open_ms, open, high, low, close, volume)
    ON CONFLICT (instrument_id, timeframe, open_at) DO UPDATE
    SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        volume = excluded.volume, revision = tail.revision + 1, recorded_at = now()
"""


@dataclass(frozen=True, slots=True)
class SeriesBars:
    """Closed and checked bars of one instrument, oldest first, at least one."""

    instrument_id: int
    candles: Candles


@dataclass(frozen=True, slots=True)
class Stored:
    """What changed: bars that were not there before, and bars whose former values are now revisions."""

    added: int = 0
    revised: int = 0


@part_of_transaction
def lock_series(*, timeframe: Timeframe, instrument_ids: Sequence[int]) -> None:
    """Let nobody else write these series until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(id, %s) FROM unnest(%s::int[]) AS id",
            [_TIMEFRAME_NUMBERS[timeframe], sorted(set(instrument_ids))],
        )


@part_of_transaction
def merge_into_chunks(*, instrument_id: int, timeframe: Timeframe, candles: Candles) -> Stored:
    """Store checked bars straight into chunks; those of the tail up to the last of them move along.

    Bars that are there already with the same values change nothing. Others are replaced: their former
    values become revisions and the chunk's version rises.
    """
    lock_series(timeframe=timeframe, instrument_ids=[instrument_id])
    added = revised = 0
    touched: list[NDArray[np.int64]] = []
    for (from_ms, _), part in split_by_chunk(timeframe, candles):
        merged = _merge_chunk(instrument_id, timeframe, from_ms, part)
        added += len(merged.added)
        revised += len(merged.changed)
        if len(merged.added):
            touched.append(merged.candles.open_time)
    for times in touched:
        _refresh_gaps(instrument_id, timeframe, times)
    return Stored(added=added, revised=revised)


@part_of_transaction
def append_closed(*, timeframe: Timeframe, batches: Sequence[SeriesBars]) -> dict[int, Stored]:
    """Store what a venue has just answered as rows of the tail; return what changed per instrument.

    Bars that are known change nothing, one with other values becomes a revision wherever it is
    stored, and a hole between the bars is recorded as a gap (or closed, if it was one).
    """
    lock_series(timeframe=timeframe, instrument_ids=[batch.instrument_id for batch in batches])
    tails, sealed, gapped = _stored_around(timeframe, batches)
    upserts: list[tuple[int, CandleRow]] = []
    stored: dict[int, Stored] = {}
    reshaped: dict[int, NDArray[np.int64]] = {}
    for batch in batches:
        instrument_id, incoming = batch.instrument_id, batch.candles
        tail = Candles.from_rows(tails.get(instrument_id, ()))
        known = tail
        if instrument_id in sealed:
            known = candle_reads.load_candles(
                instrument_id=instrument_id,
                timeframe=timeframe,
                from_ms=int(incoming.open_time[0]),
                to_ms=int(incoming.open_time[-1]) + 1,
            )
        merged = merging.merge(known, incoming)
        stored[instrument_id] = Stored(added=len(merged.added), revised=len(merged.changed))
        if merged.is_unchanged:
            continue
        follows = instrument_id not in gapped and _extends(known, incoming, timeframe)
        if len(merged.added) and not follows:
            reshaped[instrument_id] = merged.candles.open_time
        in_tail = np.isin(merged.changed.open_time, tail.open_time)
        _record_revisions(instrument_id, timeframe, merging.take(merged.former, in_tail))
        fresh = [*merged.added.rows(), *merging.take(merged.changed, in_tail).rows()]
        upserts += [(instrument_id, row) for row in fresh]
        if not in_tail.all():
            merge_into_chunks(
                instrument_id=instrument_id,
                timeframe=timeframe,
                candles=merging.take(merged.changed, ~in_tail),
            )
    _upsert_tail(timeframe, upserts)
    for instrument_id, times in reshaped.items():
        _refresh_gaps(instrument_id, timeframe, times)
    return stored


def _merge_chunk(
    instrument_id: int, timeframe: Timeframe, from_ms: int, incoming: Candles
) -> merging.Merge:
    starts_at = from_milliseconds(from_ms)
    key = {"instrument_id": instrument_id, "timeframe": timeframe.value}
    row = (
        CandleChunk.objects.filter(**key, starts_at=starts_at)
        .values_list("pk", "codec", "row_count", "data")
        .first()
    )
    sealed = codec.decode([EncodedChunk(row[1], row[2], bytes(row[3]))] if row else [])
    last_at = from_milliseconds(int(incoming.open_time[-1]))
    tail_rows = CandleTail.objects.filter(**key, open_at__gte=starts_at, open_at__lte=last_at)
    tail = candle_reads.load_tail(
        instrument_id=instrument_id,
        timeframe=timeframe,
        from_ms=from_ms,
        to_ms=int(incoming.open_time[-1]) + 1,
    )
    merged = merging.merge(merging.merge(sealed, tail).candles, incoming)
    if merged.is_unchanged and not len(tail):
        return merged
    _record_revisions(instrument_id, timeframe, merged.former)
    content = _chunk_values(merged.candles)
    if row:
        CandleChunk.objects.filter(pk=row[0]).update(
            **content, version=F("version") + 1, recorded_at=Now()
        )
    else:
        CandleChunk.objects.create(**key, starts_at=starts_at, **content)
    tail_rows.delete()
    return merged


def _chunk_values(candles: Candles) -> dict[str, Any]:
    # The values have the several types of a row's columns.
    data = codec.encode(candles)
    return {
        "codec": codec.CODEC,
        "row_count": len(candles),
        "first_open_at": from_milliseconds(int(candles.open_time[0])),
        "last_open_at": from_milliseconds(int(candles.open_time[-1])),
        "sha256": hashlib.sha256(data).hexdigest(),
        "data": data,
    }


def _record_revisions(instrument_id: int, timeframe: Timeframe, former: Candles) -> None:
    if not len(former):
        return
    logger.warning(
        "candles.revised",
        extra={
            "instrument_id": instrument_id,
            "timeframe": timeframe.value,
            "bars": len(former),
            "first_open_ms": int(former.open_time[0]),
        },
    )
    CandleRevision.objects.bulk_create(
        [
            CandleRevision(
                instrument_id=instrument_id,
                timeframe=timeframe.value,
                open_at=from_milliseconds(row[0]),
                open=row[1],
                high=row[2],
                low=row[3],
                close=row[4],
                volume=row[5],
            )
            for row in former.rows()
        ],
        batch_size=1_000,
    )


def _stored_around(
    timeframe: Timeframe, batches: Sequence[SeriesBars]
) -> tuple[dict[int, list[CandleRow]], set[int], set[int]]:
    """Return the tail's rows within the span of each batch, and whose span touches chunks, and gaps."""
    asked: list[Any] = [  # arrays of several types
        [batch.instrument_id for batch in batches],
        [from_milliseconds(int(batch.candles.open_time[0])) for batch in batches],
        [from_milliseconds(int(batch.candles.open_time[-1])) for batch in batches],
        timeframe.value,
    ]
    tails: dict[int, list[CandleRow]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SELECT_TAILS, asked)
        for instrument_id, *row in cursor.fetchall():
            tails.setdefault(instrument_id, []).append(tuple(row))
        touching = []
        for query in (_SELECT_SEALED, _SELECT_GAPPED):
            cursor.execute(query, asked)
            touching.append({row[0] for row in cursor.fetchall()})
    return tails, touching[0], touching[1]


def _upsert_tail(timeframe: Timeframe, bars: Sequence[tuple[int, CandleRow]]) -> None:
    if not bars:
        return
    columns = [list(column) for column in zip(*(row for _, row in bars), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            _UPSERT_TAIL, [timeframe.value, [instrument_id for instrument_id, _ in bars], *columns]
        )


def _extends(known: Candles, incoming: Candles, timeframe: Timeframe) -> bool:
    """Tell whether *incoming* repeats what is known and carries it on without a hole."""
    stretch = len(known)
    return (
        0 < stretch <= len(incoming)
        and np.array_equal(known.open_time, incoming.open_time[:stretch])
        and not find_gaps(incoming.open_time, timeframe)
    )


def _refresh_gaps(instrument_id: int, timeframe: Timeframe, times: NDArray[np.int64]) -> None:
    """Bring the recorded gaps among *times* and up to the bars next to them into line with what is stored."""
    before, after = candle_reads.neighbors(
        instrument_id=instrument_id,
        timeframe=timeframe,
        first_ms=int(times[0]),
        last_ms=int(times[-1]),
    )
    ends = [[] if at is None else [at] for at in (before, after)]
    span = np.concatenate([np.array(part, dtype=np.int64) for part in (ends[0], times, ends[1])])
    found = {
        (from_milliseconds(gap.from_ms), from_milliseconds(gap.to_ms)): gap.missing
        for gap in find_gaps(span, timeframe)
    }
    recorded = CandleGap.objects.filter(
        instrument_id=instrument_id,
        timeframe=timeframe.value,
        from_at__gte=from_milliseconds(int(span[0])),
        from_at__lt=from_milliseconds(int(span[-1])),
    )
    known = {(gap.from_at, gap.to_at): gap.pk for gap in recorded}
    closed = [key for span_, key in known.items() if span_ not in found]
    CandleGap.objects.filter(pk__in=closed).delete()
    CandleGap.objects.bulk_create(
        [
            CandleGap(
                instrument_id=instrument_id,
                timeframe=timeframe.value,
                from_at=from_at,
                to_at=to_at,
                missing=missing,
            )
            for (from_at, to_at), missing in found.items()
            if (from_at, to_at) not in known
        ],
        batch_size=1_000,
    )
