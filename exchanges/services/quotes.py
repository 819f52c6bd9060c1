"""The last prices of everything that trades at the venues in use: one or two calls per venue, whoever needs them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q

from exchanges.adapters import factory, loops
from exchanges.adapters.protocol import MarketData, MarkReport, TickerReport
from exchanges.models import ExchangeAccount, FeedHold, Instrument, Venue
from foundation.transactions import transactional
from market.enums import InstrumentKind
from market.errors import VenueError, VenueTimeoutError

logger = logging.getLogger(__name__)

MarketOf = Callable[[Venue], MarketData]

_STORE_TICKERS: Final = """
    INSERT INTO exchanges_quote AS quote
           (instrument_id, last, bid, ask, quote_volume, venue_at, recorded_at)
    SELECT instrument.id, told.last, told.bid, told.ask, told.quote_volume, told.venue_at, %s
    FROM unnest(%s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
                %s::timestamptz[]) AS told(symbol, last, bid, ask, quote_volume, venue_at)
    JOIN exchanges_instrument instrument
      ON instrument.venue_id = %s AND instrument.symbol = told.symbol
    ON CONFLICT (instrument_id) DO UPDATE
    SET last = excluded.last, bid = excluded.bid, ask = excluded.ask,
        quote_volume = excluded.quote_volume, venue_at = excluded.venue_at,
        recorded_at = excluded.recorded_at
    WHERE quote.venue_at IS NULL OR quote.venue_at <= excluded.venue_at
"""
_STORE_MARKS: Final = """
    INSERT INTO exchanges_quote AS quote
           (instrument_id, mark_price, index_price, funding_rate, next_funding_at, recorded_at)
    SELECT instrument.id, told.mark_price, told.index_price, told.funding_rate,
           told.next_funding_at, %s
    FROM unnest(%s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::timestamptz[])
      AS told(symbol, mark_price, index_price, funding_rate, next_funding_at)
    JOIN exchanges_instrument instrument
      ON instrument.venue_id = %s AND instrument.symbol = told.symbol
    ON CONFLICT (instrument_id) DO UPDATE
    SET mark_price = excluded.mark_price, index_price = excluded.index_price,
        funding_rate = excluded.funding_rate, next_funding_at = excluded.next_funding_at,
        recorded_at = excluded.recorded_at
"""


@dataclass(frozen=True, slots=True)
class _Answer:
    tickers: Sequence[TickerReport]
    marks: Sequence[MarkReport]


def refresh_quotes(*, now: datetime, market_of: MarketOf = factory.market_data) -> int:
    """Ask every venue in use for its prices and store them; return how many instruments were quoted.

    A venue that does not answer keeps its former quotes, whose age tells.
    """
    venues = venues_in_use()
    # Clients are made outside of the loop that uses them.
    asked = [(market_of(venue), _has_swaps(venue)) for venue in venues]
    quoted = 0
    for venue, answer in zip(venues, loops.run(_ask_all(asked)), strict=True):
        if isinstance(answer, VenueError):
            logger.warning("quotes.unknown", extra={"venue": venue.code, "reason": answer.code})
        else:
            quoted += _store(venue_id=venue.pk, answer=answer, now=now)
    return quoted


def refresh_venue(*, venue: Venue, now: datetime, market_of: MarketOf = factory.market_data) -> int:
    """Ask one venue for its prices and store them; return how many instruments were quoted.

    Raises VenueError.
    """
    answer = loops.run(_ask(market_of(venue), has_swaps=_has_swaps(venue)))
    return _store(venue_id=venue.pk, answer=answer, now=now)


def venues_in_use() -> list[Venue]:
    """Return the venues that can be asked and whose candles or accounts somebody has."""
    held = FeedHold.objects.filter(feed__instrument__venue=OuterRef("pk"))
    accounts = ExchangeAccount.objects.filter(venue=OuterRef("pk"), closed_at=None)
    return list(
        Venue.objects.filter(Q(Exists(held)) | Q(Exists(accounts)), is_active=True)
        .exclude(ccxt_id="")
        .order_by("code")
    )


def _has_swaps(venue: Venue) -> bool:
    return venue.instruments.exclude(kind=InstrumentKind.SPOT).exists()


async def _ask_all(asked: Sequence[tuple[MarketData, bool]]) -> list[_Answer | VenueError]:
    async def ask(market: MarketData, has_swaps: bool) -> _Answer | VenueError:
        try:
            return await _ask(market, has_swaps=has_swaps)
        except VenueError as error:
            return error

    return list(await asyncio.gather(*(ask(market, has_swaps) for market, has_swaps in asked)))


async def _ask(market: MarketData, *, has_swaps: bool) -> _Answer:
    try:
        async with asyncio.timeout(2 * settings.HORIZONS.venue_timeout_s):
            tickers = await market.tickers()
            return _Answer(tickers, await market.marks() if has_swaps else ())
    except TimeoutError:
        raise VenueTimeoutError("The exchange did not answer in time.") from None
    finally:
        await market.close()


@transactional
def _store(*, venue_id: int, answer: _Answer, now: datetime) -> int:
    # Sorted by symbol: two writers then lock the rows in the same order.
    tickers = sorted(answer.tickers, key=lambda report: report.symbol)
    marks = sorted(answer.marks, key=lambda report: report.symbol)
    ticker_fields = ("symbol", "last", "bid", "ask", "quote_volume", "venue_at")
    mark_fields = ("symbol", "mark_price", "index_price", "funding_rate", "next_funding_at")
    with connection.cursor() as cursor:
        if tickers:
            cursor.execute(_STORE_TICKERS, [now, *_columns(tickers, ticker_fields), venue_id])
        if marks:
            cursor.execute(_STORE_MARKS, [now, *_columns(marks, mark_fields), venue_id])
    known = set(Instrument.objects.filter(venue_id=venue_id).values_list("symbol", flat=True))
    return len(known & ({each.symbol for each in tickers} | {each.symbol for each in marks}))


def _columns(reports: Sequence[Any], fields: Sequence[str]) -> list[list[Any]]:
    # Reports of two types have these fields, of several types each.
    return [[getattr(report, field) for report in reports] for field in fields]
