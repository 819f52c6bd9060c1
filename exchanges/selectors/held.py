"""What is held of every series: bars, holes, revisions, size and freshness, for pages, reports and fetches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db import connection

from exchanges.domain.gaps import find_gaps
from exchanges.models import CandleGap
from exchanges.selectors import candles as candle_reads
from market.timeframes import Timeframe, to_milliseconds

_HELD: Final = """
    WITH stored AS (
        SELECT instrument_id, timeframe, min(first_at) AS first_at, max(last_at) AS last_at,
               sum(bars)::bigint AS bars, sum(bytes)::bigint AS bytes
        FROM (
            SELECT instrument_id, timeframe, min(first_open_at) AS first_at,
                   max(last_open_at) AS last_at, sum(row_count) AS bars,
                   sum(octet_length(data)) AS bytes
            FROM exchanges_candlechunk GROUP BY instrument_id, timeframe
            UNION ALL
            SELECT instrument_id, timeframe, min(open_at), max(open_at), count(*),
                   count(*) * {tail_bytes}
            FROM exchanges_candletail GROUP BY instrument_id, timeframe
        ) AS part
        GROUP BY instrument_id, timeframe
    ), gaps AS (
        SELECT instrument_id, timeframe, count(*) AS gaps, sum(missing)::bigint AS missing,
               count(confirmed_at) AS confirmed
        FROM exchanges_candlegap GROUP BY instrument_id, timeframe
    ), revisions AS (
        SELECT instrument_id, timeframe, count(*) AS revisions
        FROM exchanges_candlerevision GROUP BY instrument_id, timeframe
    ), refused AS (
        SELECT instrument_id, timeframe, count(*) AS refused
        FROM exchanges_quarantinedbar WHERE settled_at IS NULL GROUP BY instrument_id, timeframe
    )
    SELECT instrument.id, venue.code, venue.name, instrument.symbol, stored.timeframe,
           stored.first_at, stored.last_at, stored.bars, stored.bytes,
           coalesce(gaps.gaps, 0), coalesce(gaps.missing, 0), coalesce(gaps.confirmed, 0),
           coalesce(revisions.revisions, 0), coalesce(refused.refused, 0),
           feed.id IS NOT NULL
             AND EXISTS (SELECT FROM exchanges_feedhold hold WHERE hold.feed_id = feed.id),
           feed.behind_since_at
    FROM stored
    JOIN exchanges_instrument instrument ON instrument.id = stored.instrument_id
    JOIN exchanges_venue venue ON venue.id = instrument.venue_id
    LEFT JOIN gaps USING (instrument_id, timeframe)
    LEFT JOIN revisions USING (instrument_id, timeframe)
    LEFT JOIN refused USING (instrument_id, timeframe)
    LEFT JOIN exchanges_candlefeed feed USING (instrument_id, timeframe)
"""
#: What one row of the tail takes on disk, its index included, as measured; chunks know their bytes.
_TAIL_BYTES: Final = 180


class Trouble(StrEnum):
    """What may be asked of a list of series: those with something amiss."""

    GAPS = "gaps"
    BEHIND = "behind"
    REVISED = "revised"
    REFUSED = "refused"


_TROUBLES: Final[Mapping[Trouble, str]] = {
    Trouble.GAPS: "gaps.gaps > 0",
    Trouble.BEHIND: "feed.behind_since_at IS NOT NULL",
    Trouble.REVISED: "revisions.revisions > 0",
    Trouble.REFUSED: "refused.refused > 0",
}
_LENGTH: Final = "array_position(%s::text[], stored.timeframe::text)"
_MARKET: Final = "venue.code, instrument.symbol"
#: How a list may be sorted; every order ends with what is unique.
ORDERS: Final[Mapping[str, str]] = {
    "market": "",
    "bars": "stored.bars DESC,",
    "first": "stored.first_at,",
    "fresh": "stored.last_at DESC,",
    "stale": "stored.last_at,",
    "gaps": "coalesce(gaps.missing, 0) DESC,",
    "revisions": "coalesce(revisions.revisions, 0) DESC,",
    "size": "stored.bytes DESC,",
}


@dataclass(frozen=True, slots=True)
class HeldSeries:
    """One stored series.

    ``missing`` bars lie in ``gap_count`` holes, ``confirmed_gaps`` of which the venue has itself.
    ``refused`` counts impossible bars that no possible one has replaced. ``is_followed``: new bars are
    fetched because somebody needs them; ``behind_since_at`` is set while they should be there and are not.
    """

    instrument_id: int
    venue_code: str
    venue_name: str
    symbol: str
    timeframe: Timeframe
    first_open_at: datetime
    last_open_at: datetime
    bars: int
    bytes: int
    gap_count: int
    missing: int
    confirmed_gaps: int
    revisions: int
    refused: int
    is_followed: bool
    behind_since_at: datetime | None

    @property
    def market(self) -> str:
        """Venue and symbol as commands and forms take them."""
        return f"{self.venue_code}:{self.symbol}"

    @property
    def coverage(self) -> float:
        """The part of the bars between the first and the last that is there."""
        return self.bars / (self.bars + self.missing)


@dataclass(frozen=True, slots=True)
class HeldFilter:
    """Which series are asked for; empty fields do not matter, ``symbol`` is a part of one."""

    venue: str = ""
    symbol: str = ""
    timeframe: str = ""
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class HeldTotal:
    """All of it together."""

    series: int = 0
    bars: int = 0
    bytes: int = 0
    missing: int = 0
    behind: int = 0


def held_series(
    wanted: HeldFilter = HeldFilter(),
    *,
    order: str = "market",
    limit: int | None = None,
    offset: int = 0,
) -> list[HeldSeries]:
    """Return the stored series that are *wanted* in one of ``ORDERS``, at most *limit* of them."""
    where, parameters = _conditions(wanted)
    query = (
        f"{_query()} {where} ORDER BY {ORDERS[order]} {_MARKET}, {_LENGTH}, instrument.id"
        " LIMIT %s OFFSET %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [*parameters, [*Timeframe], limit, offset])
        return [_series_of(*row) for row in cursor.fetchall()]


def held_after(*, key: tuple[int, str] | None, limit: int, wanted: HeldFilter) -> list[HeldSeries]:
    """Return at most *limit* series by instrument and timeframe, after the one with *key*."""
    where, parameters = _conditions(wanted)
    if key is not None:
        where = f"{where or 'WHERE true'} AND (instrument.id, stored.timeframe::text) > (%s, %s)"
        parameters += key
    query = f"{_query()} {where} ORDER BY instrument.id, stored.timeframe::text LIMIT %s"
    with connection.cursor() as cursor:
        cursor.execute(query, [*parameters, limit])
        return [_series_of(*row) for row in cursor.fetchall()]


def held_total(wanted: HeldFilter = HeldFilter()) -> HeldTotal:
    """Return the sums over all series that are *wanted*."""
    where, parameters = _conditions(wanted)
    sums = (
        "SELECT count(*), coalesce(sum(bars), 0)::bigint, coalesce(sum(bytes), 0)::bigint,"
        " coalesce(sum(missing), 0)::bigint, count(behind) FROM ("
    )
    named = (
        ") AS held (id, venue, name, symbol, timeframe, first, last, bars, bytes, gaps, missing,"
        " confirmed, revisions, refused, followed, behind)"
    )
    query = f"{sums} {_query()} {where} {named}"
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
    return HeldTotal(*row) if row else HeldTotal()


def missing_spans(
    *, instrument_id: int, timeframe: Timeframe, from_ms: int, to_ms: int
) -> list[tuple[int, int]]:
    """Return where bars are missing in ``[from_ms, to_ms)`` that the venue has not denied twice.

    Spans are ``[from, to)`` in open times, oldest first; what lies before the first and behind the last
    stored bar belongs to them.
    """
    if from_ms >= to_ms:
        return []
    stored = candle_reads.load_candles(
        instrument_id=instrument_id, timeframe=timeframe, from_ms=from_ms, to_ms=to_ms
    ).open_time
    if not len(stored):
        return [(from_ms, to_ms)]
    first, end = int(stored[0]), timeframe.close_of(int(stored[-1]))
    confirmed = {
        to_milliseconds(at)
        for at in CandleGap.objects.filter(
            instrument_id=instrument_id, timeframe=timeframe.value, confirmed_at__isnull=False
        ).values_list("from_at", flat=True)
    }
    spans = [
        (gap.from_ms, gap.to_ms)
        for gap in find_gaps(stored, timeframe)
        if gap.from_ms not in confirmed
    ]
    if from_ms < first:
        spans.insert(0, (from_ms, first))
    if end < to_ms:
        spans.append((end, to_ms))
    return spans


def _series_of(
    instrument_id: int, venue_code: str, venue_name: str, symbol: str, timeframe: str, *rest: Any
) -> HeldSeries:
    # The rest of the columns have several types.
    return HeldSeries(instrument_id, venue_code, venue_name, symbol, Timeframe(timeframe), *rest)


def _query() -> str:
    return _HELD.format(tail_bytes=_TAIL_BYTES)


def _conditions(wanted: HeldFilter) -> tuple[str, list[Any]]:
    """Return the WHERE clause and its parameters, which have several types."""
    conditions: list[str] = []
    parameters: list[Any] = []
    if wanted.venue:
        conditions.append("venue.code = %s")
        parameters.append(wanted.venue)
    if wanted.symbol:
        # A person's % and _ mean themselves.
        conditions.append("position(upper(%s) in upper(instrument.symbol)) > 0")
        parameters.append(wanted.symbol)
    if wanted.timeframe:
        conditions.append("stored.timeframe = %s")
        parameters.append(wanted.timeframe)
    if wanted.trouble is not None:
        conditions.append(_TROUBLES[wanted.trouble])
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), parameters
