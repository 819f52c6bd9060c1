"""What holders of swaps have paid one another: fetched for every swap whose candles somebody needs."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Min

from exchanges.adapters import factory, loops
from exchanges.adapters.governor import CallPriority, calling_as
from exchanges.adapters.protocol import FundingReport, MarketData
from exchanges.models import CandleFeed, FundingFeed, FundingRate, Instrument, Venue
from foundation.transactions import transactional
from market.enums import InstrumentKind
from market.errors import PlatformError, VenueError, VenueTimeoutError
from market.timeframes import from_milliseconds, to_milliseconds

logger = logging.getLogger(__name__)

MarketOf = Callable[[Venue], MarketData]

_PAGE: Final = 1_000
#: More pages than ten years of hourly funding have; a venue that goes on repeats itself.
_MOST_PAGES: Final = 1_000
#: Rates are settled every hour at most.
_EVERY: Final = timedelta(minutes=15)
#: A task is over well before its time limit.
_LONGEST_S: Final = 10.0
#: The newest rates are asked for again: some venues settle them late.
_REREAD: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Span:
    from_ms: int
    to_ms: int


def refresh_funding(*, now: datetime, market_of: MarketOf = factory.market_data) -> int:
    """Fetch the rates that are missing of the swaps in use; return how many were new.

    After some seconds the rest is left to the next call, which begins with what has waited longest.
    """
    began_s = time.monotonic()
    added = 0
    for instrument, since in _due(now):
        if time.monotonic() - began_s > _LONGEST_S:
            break
        try:
            added += fetch_funding(instrument=instrument, since=since, now=now, market_of=market_of)
        except PlatformError as error:
            _note_failure(instrument_id=instrument.pk, error=error)
    return added


def _due(now: datetime) -> list[tuple[Instrument, datetime]]:
    """Return the swaps in use of which rates may be missing, and since when each is needed."""
    wanted = dict(
        CandleFeed.objects.filter(
            holds__isnull=False, instrument__is_active=True, instrument__venue__is_active=True
        )
        .exclude(instrument__kind=InstrumentKind.SPOT)
        .exclude(instrument__venue__ccxt_id="")
        .values("instrument")
        .annotate(since=Min("backfill_from_at"))
        .values_list("instrument", "since")
    )
    feeds = {feed.instrument_id: feed for feed in FundingFeed.objects.filter(instrument__in=wanted)}
    never = now - timedelta(days=36_500)

    def asked_until(instrument_id: int) -> datetime:
        feed = feeds.get(instrument_id)
        return never if feed is None or wanted[instrument_id] < feed.from_at else feed.until_at

    due = sorted(
        (each for each in wanted if asked_until(each) <= now - _EVERY),
        key=lambda each: (asked_until(each), each),
    )
    instruments = Instrument.objects.select_related("venue").in_bulk(due)
    return [(instruments[each], wanted[each]) for each in due]


def fetch_funding(
    *,
    instrument: Instrument,
    since: datetime,
    now: datetime,
    market_of: MarketOf = factory.market_data,
) -> int:
    """Fetch what is not stored yet of a swap's rates from *since* to *now*; return how many were new.

    Raises VenueError, UnsupportedByVenueError of a venue without funding included.
    """
    added = 0
    for span in _missing(instrument.pk, since=since, now=now):
        with calling_as(CallPriority.BACKFILL):
            reports = loops.run(_ask(market_of(instrument.venue), instrument.symbol, span))
        added += _store(instrument_id=instrument.pk, reports=reports, span=span)
    return added


def _missing(instrument_id: int, *, since: datetime, now: datetime) -> list[_Span]:
    feed = FundingFeed.objects.filter(instrument_id=instrument_id).first()
    from_ms, now_ms = to_milliseconds(since), to_milliseconds(now)
    if feed is None:
        return [_Span(from_ms, now_ms)] if from_ms < now_ms else []
    spans = [_Span(to_milliseconds(feed.until_at - _REREAD), now_ms)]
    if since < feed.from_at:
        spans.append(_Span(from_ms, to_milliseconds(feed.from_at)))
    return spans


async def _ask(market: MarketData, symbol: str, span: _Span) -> list[FundingReport]:
    found: dict[datetime, FundingReport] = {}
    since_ms = span.from_ms
    try:
        for _ in range(_MOST_PAGES):
            async with asyncio.timeout(settings.HORIZONS.venue_timeout_s):
                page = await market.funding_since(symbol, since_ms=since_ms, limit=_PAGE)
            fresh = [report for report in page if to_milliseconds(report.funded_at) >= since_ms]
            found.update({report.funded_at: report for report in fresh})
            if not fresh:
                break
            since_ms = to_milliseconds(fresh[-1].funded_at) + 1
            if since_ms >= span.to_ms:
                break
        else:
            raise VenueError("The exchange tells of funding without end.")
    except TimeoutError:
        raise VenueTimeoutError("The exchange did not answer in time.") from None
    finally:
        await market.close()
    return [found[at] for at in sorted(found) if to_milliseconds(at) < span.to_ms]


@transactional
def _store(*, instrument_id: int, reports: list[FundingReport], span: _Span) -> int:
    before = FundingRate.objects.filter(instrument_id=instrument_id).count()
    FundingRate.objects.bulk_create(
        [
            FundingRate(instrument_id=instrument_id, funded_at=each.funded_at, rate=each.rate)
            for each in reports
        ],
        batch_size=1_000,
        update_conflicts=True,
        unique_fields=["instrument", "funded_at"],
        update_fields=["rate"],
    )
    from_at, until_at = from_milliseconds(span.from_ms), from_milliseconds(span.to_ms)
    feed, created = FundingFeed.objects.select_for_update().get_or_create(
        instrument_id=instrument_id, defaults={"from_at": from_at, "until_at": until_at}
    )
    if not created:
        feed.from_at = min(feed.from_at, from_at)
        feed.until_at = max(feed.until_at, until_at)
        feed.last_error = ""
        feed.save(update_fields=["from_at", "until_at", "last_error"])
    return FundingRate.objects.filter(instrument_id=instrument_id).count() - before


@transactional
def _note_failure(*, instrument_id: int, error: PlatformError) -> None:
    logger.warning("funding.unknown", extra={"instrument_id": instrument_id, "reason": error.code})
    FundingFeed.objects.filter(instrument_id=instrument_id).update(
        last_error=f"{error.code}: {error.message}"[:300]
    )
