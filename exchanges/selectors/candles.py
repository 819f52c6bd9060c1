"""Reading candles: chunks and the tail as one series of columns.

Candles never pass through the ORM: a year of one-minute bars is half a million rows.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from django.db import connection
from django.db.models import Count, Max, Min, Sum

from exchanges.domain import codec, merging
from exchanges.domain.codec import EncodedChunk
from exchanges.models import CandleChunk, CandleGap, CandleTail, Instrument
from exchanges.selectors import candle_files
from market.candles import Candles
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds

_SELECT_CHUNKS: Final = """
    SELECT {columns} FROM exchanges_candlechunk
    WHERE instrument_id = %s AND timeframe = %s AND first_open_at < %s AND last_open_at >= %s
    ORDER BY starts_at
"""
_SELECT_TAIL: Final = """
    SELECT (extract(epoch FROM open_at) * 1000)::bigint, open, high, low, close, volume
    FROM exchanges_candletail
    WHERE instrument_id = %s AND timeframe = %s AND open_at >= %s AND open_at < %s
    ORDER BY open_at
"""
_SELECT_NEWEST_CHUNKS: Final = """
    SELECT chunk.instrument_id, chunk.codec, chunk.row_count, chunk.data
    FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(id, from_at)
    JOIN exchanges_candlechunk chunk ON chunk.instrument_id = asked.id AND chunk.timeframe = %s
     AND chunk.last_open_at >= asked.from_at
    ORDER BY chunk.instrument_id, chunk.starts_at
"""
_SELECT_NEWEST_TAIL: Final = """
    SELECT tail.instrument_id, (extract(epoch FROM tail.open_at) * 1000)::bigint,
           tail.open, tail.high, tail.low, tail.close, tail.volume
    FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(id, from_at)
    JOIN exchanges_candletail tail ON tail.instrument_id = asked.id AND tail.timeframe = %s
     AND tail.open_at >= asked.from_at AND tail.open_at < %s
    ORDER BY tail.instrument_id, tail.open_at
"""


@dataclass(frozen=True, slots=True)
class GapRange:
    """Bars that the source does not have: open times in ``[from_at, to_at)``."""

    from_at: datetime
    to_at: datetime
    missing: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is stored of an instrument and timeframe; ``gaps`` oldest first."""

    first_open_at: datetime
    last_open_at: datetime
    row_count: int
    gaps: tuple[GapRange, ...]

    @property
    def missing(self) -> int:
        """How many bars are absent between the first and the last."""
        return sum(gap.missing for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class Series:
    """A line of the list of all stored series."""

    instrument: Instrument
    timeframe: Timeframe
    first_open_at: datetime
    last_open_at: datetime
    row_count: int
    gap_count: int
    missing: int


def load_candles(*, instrument_id: int, timeframe: Timeframe, from_ms: int, to_ms: int) -> Candles:
    """Return the stored bars that open in ``[from_ms, to_ms)``, oldest first, each once.

    Missing bars are absent; nothing stored gives no bars. Raise CorruptChunkError if a chunk cannot be read.
    """
    # The tail first: rows that are sealed between the two queries are then seen twice and not never.
    tail = load_tail(instrument_id=instrument_id, timeframe=timeframe, from_ms=from_ms, to_ms=to_ms)
    sealed = _load_sealed(
        [instrument_id, timeframe.value, from_milliseconds(to_ms), from_milliseconds(from_ms)],
        longest=(to_ms - from_ms) // timeframe.milliseconds,
    ).between(from_ms, to_ms)
    if not len(tail):
        return sealed
    return merging.merge(tail, sealed).candles if len(sealed) else tail


def load_newest(
    *, timeframe: Timeframe, from_ms_of: Mapping[int, int], to_ms: int
) -> dict[int, Candles]:
    """Return the bars of many instruments that open before *to_ms*, by two queries for all of them.

    *from_ms_of* says from which open on, by instrument; one with nothing stored since is left out.
    """
    ids = list(from_ms_of)
    since = [from_milliseconds(from_ms) for from_ms in from_ms_of.values()]
    # The tail first: rows that are sealed between the two queries are then seen twice and not never.
    tails: dict[int, list[Any]] = {}
    for instrument_id, *row in _fetch(
        _SELECT_NEWEST_TAIL, [ids, since, timeframe.value, from_milliseconds(to_ms)]
    ):
        tails.setdefault(instrument_id, []).append(row)
    chunks: dict[int, list[EncodedChunk]] = {}
    for instrument_id, *chunk in _fetch(_SELECT_NEWEST_CHUNKS, [ids, since, timeframe.value]):
        chunks.setdefault(instrument_id, []).append(EncodedChunk(*chunk))
    found = {instrument_id: Candles.from_rows(rows) for instrument_id, rows in tails.items()}
    for instrument_id, encoded in chunks.items():
        sealed = codec.decode(encoded).between(from_ms_of[instrument_id], to_ms)
        tail = found.get(instrument_id)
        found[instrument_id] = sealed if tail is None else merging.merge(tail, sealed).candles
    return found


def _load_sealed(parameters: Sequence[Any], *, longest: int) -> Candles:
    """Return the bars of the chunks that *parameters* choose, from this machine where it has them."""
    if longest < candle_files.LEAST_ROWS or not candle_files.is_on():
        chunks = _fetch(_SELECT_CHUNKS.format(columns="codec, row_count, data"), parameters)
        return codec.decode([EncodedChunk(*chunk) for chunk in chunks])
    names = _fetch(_SELECT_CHUNKS.format(columns="sha256, row_count"), parameters)
    if not names:
        return Candles.empty()
    key = candle_files.key_of([(sha256, rows) for sha256, rows in names])
    found = candle_files.find(key, rows=sum(rows for _, rows in names))
    if found is not None:
        return found
    chunks = _fetch(_SELECT_CHUNKS.format(columns="sha256, codec, row_count, data"), parameters)
    candles = codec.decode([EncodedChunk(*chunk) for _, *chunk in chunks])
    # Named by what was read just now, which a revision may have changed meanwhile, and only if it is
    # what was written.
    if all(hashlib.sha256(data).hexdigest() == sha256 for sha256, _, _, data in chunks):
        candle_files.keep(
            candle_files.key_of([(sha256, rows) for sha256, _, rows, _ in chunks]), candles
        )
    return candles


def load_tail(*, instrument_id: int, timeframe: Timeframe, from_ms: int, to_ms: int) -> Candles:
    """Return the bars that open in ``[from_ms, to_ms)`` and are not sealed yet."""
    between = [from_milliseconds(from_ms), from_milliseconds(to_ms)]
    return Candles.from_rows(_fetch(_SELECT_TAIL, [instrument_id, timeframe.value, *between]))


def data_version(*, instrument_id: int, timeframe: Timeframe, from_ms: int, to_ms: int) -> str:
    """Return a digest of the bars that open in ``[from_ms, to_ms)``.

    It depends on the bars alone and not on how they are stored: sealing changes nothing, a revision does.
    """
    candles = load_candles(
        instrument_id=instrument_id, timeframe=timeframe, from_ms=from_ms, to_ms=to_ms
    )
    digest = hashlib.blake2b(digest_size=32)
    for column in candles.columns():
        digest.update(column.astype(column.dtype.newbyteorder("<"), copy=False).data)
    return digest.hexdigest()


def coverage(*, instrument_id: int, timeframe: Timeframe) -> Coverage | None:
    """Return what is stored of a series, or None if that is nothing."""
    key = {"instrument_id": instrument_id, "timeframe": timeframe.value}
    extent = _extents(CandleChunk.objects.filter(**key), CandleTail.objects.filter(**key))
    if not extent:
        return None
    first, last, rows = next(iter(extent.values()))
    gaps = CandleGap.objects.filter(**key).order_by("from_at")
    return Coverage(
        first_open_at=first,
        last_open_at=last,
        row_count=rows,
        gaps=tuple(GapRange(gap.from_at, gap.to_at, gap.missing) for gap in gaps),
    )


def extents(
    *, instrument_ids: Sequence[int], timeframe: Timeframe
) -> dict[int, tuple[datetime, datetime]]:
    """Return the open times of the first and the last stored bar of each instrument that has any."""
    key = {"instrument_id__in": instrument_ids, "timeframe": timeframe.value}
    found = _extents(CandleChunk.objects.filter(**key), CandleTail.objects.filter(**key))
    return {instrument: (first, last) for (instrument, _), (first, last, _) in found.items()}


def series() -> list[Series]:
    """Return all stored series, by venue, symbol and length of the bar."""
    extents = _extents(CandleChunk.objects.all(), CandleTail.objects.all())
    instruments = Instrument.objects.select_related("venue").in_bulk(
        {instrument_id for instrument_id, _ in extents}
    )
    gaps = {
        (row["instrument_id"], row["timeframe"]): (row["count"], row["missing"])
        for row in CandleGap.objects.values("instrument_id", "timeframe").annotate(
            count=Count("pk"), missing=Sum("missing")
        )
    }
    lines = []
    for (instrument_id, timeframe), (first, last, rows) in extents.items():
        gap_count, missing = gaps.get((instrument_id, timeframe), (0, 0))
        instrument = instruments[instrument_id]
        lines.append(
            Series(instrument, Timeframe(timeframe), first, last, rows, gap_count, missing)
        )
    lines.sort(
        key=lambda line: (
            line.instrument.venue.code,
            line.instrument.symbol,
            line.timeframe.milliseconds,
        )
    )
    return lines


def damaged_chunks() -> Iterator[str]:
    """Read every chunk; yield which ones cannot be read or are not what was written, and why."""
    keys = CandleChunk.objects.order_by("pk").values_list("pk", "sha256")
    for pk, sha256 in keys.iterator(chunk_size=1_000):
        rows = _fetch(
            "SELECT codec, row_count, data FROM exchanges_candlechunk WHERE id = %s", [pk]
        )
        for chunk in rows:
            try:
                codec.decode([EncodedChunk(*chunk)])
            except codec.CorruptChunkError as error:
                yield f"chunk {pk}: {error.message}"
            else:
                if hashlib.sha256(chunk[2]).hexdigest() != sha256:
                    yield f"chunk {pk}: the digest differs"


def neighbors(
    *, instrument_id: int, timeframe: Timeframe, first_ms: int, last_ms: int
) -> tuple[int | None, int | None]:
    """Return the open times of the bar before *first_ms* and of the one after *last_ms*, where stored."""
    key = {"instrument_id": instrument_id, "timeframe": timeframe.value}
    first_at, last_at = from_milliseconds(first_ms), from_milliseconds(last_ms)
    tail = CandleTail.objects.filter(**key)
    chunks = CandleChunk.objects.filter(**key)
    ends = [
        tail.filter(open_at__lt=first_at).aggregate(at=Max("open_at"))["at"],
        chunks.filter(last_open_at__lt=first_at).aggregate(at=Max("last_open_at"))["at"],
    ]
    starts = [
        tail.filter(open_at__gt=last_at).aggregate(at=Min("open_at"))["at"],
        chunks.filter(first_open_at__gt=last_at).aggregate(at=Min("first_open_at"))["at"],
    ]
    before = [to_milliseconds(at) for at in ends if at is not None]
    after = [to_milliseconds(at) for at in starts if at is not None]
    around = _fetch(
        "SELECT codec, row_count, data FROM exchanges_candlechunk WHERE instrument_id = %s"
        " AND timeframe = %s AND ((first_open_at < %s AND last_open_at >= %s)"
        " OR (first_open_at <= %s AND last_open_at > %s)) ORDER BY starts_at",
        [instrument_id, timeframe.value, first_at, first_at, last_at, last_at],
    )
    times = codec.decode([EncodedChunk(*chunk) for chunk in around]).open_time
    before += times[times < first_ms][-1:].tolist()
    after += times[times > last_ms][:1].tolist()
    return max(before, default=None), min(after, default=None)


def _fetch(query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    # Django's own cursor asks for text, in which every byte of a chunk travels as two characters.
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return list(cursor.execute(query, parameters, binary=True).fetchall())


def _extents(chunks: Any, tail: Any) -> dict[tuple[int, str], tuple[datetime, datetime, int]]:
    """Return first and last open time and the number of bars per instrument and timeframe.

    The two querysets are Any because ``values().annotate()`` has no type that could be named.
    """
    found: dict[tuple[int, str], tuple[datetime, datetime, int]] = {}
    sealed = chunks.values("instrument_id", "timeframe").annotate(
        first=Min("first_open_at"), last=Max("last_open_at"), rows=Sum("row_count")
    )
    unsealed = tail.values("instrument_id", "timeframe").annotate(
        first=Min("open_at"), last=Max("open_at"), rows=Count("pk")
    )
    for row in [*sealed, *unsealed]:
        key = (row["instrument_id"], row["timeframe"])
        first, last, rows = found.get(key, (row["first"], row["last"], 0))
        found[key] = (min(first, row["first"]), max(last, row["last"]), rows + row["rows"])
    return found
