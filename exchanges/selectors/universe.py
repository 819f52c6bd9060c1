"""What is known of every market of a venue at an instant: from stored candles alone, or with the quotes of now."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np

from exchanges.domain import universe
from exchanges.domain.universe import Chosen, MarketFacts, UniverseFilter
from exchanges.models import Instrument, Quote
from exchanges.selectors import candles as candle_reads
from exchanges.selectors import instruments
from market.candles import Candles
from market.timeframes import DAY_MS, Timeframe, from_milliseconds, to_milliseconds

#: Returns of so many days make the volatility.
VOLATILITY_DAYS: Final = 30
#: Fewer days say nothing.
_LEAST_DAYS: Final = 7
#: Older quotes are not those of now.
_FRESH: Final = timedelta(minutes=15)
#: Of the stored series of a market the first of these is read: the fewest bars that show a day.
_READ: Final = (Timeframe.D1, Timeframe.H12, Timeframe.H8, Timeframe.H6, Timeframe.H4, Timeframe.H2,
                Timeframe.H1, Timeframe.M30, Timeframe.M15, Timeframe.M5, Timeframe.M3,
                Timeframe.M1)  # fmt: skip


def choose_at(venue_code: str, wanted: UniverseFilter, *, at: datetime, now: datetime) -> Chosen:
    """Return the markets of a venue that were as *wanted* at an instant; raise UnknownVenueError.

    What happened after *at* has no influence: only bars that had closed by then are read, markets listed
    later are not there and those delisted since are. Quotes, with their spread, count only for now.
    """
    return universe.choose(facts_at(venue_code, at=at, now=now), wanted)


def facts_at(venue_code: str, *, at: datetime, now: datetime) -> list[MarketFacts]:
    """Return what was known of every market of a venue at an instant, by symbol; raise UnknownVenueError."""
    venue = instruments.get_venue(venue_code)
    listed = list(Instrument.objects.filter(venue=venue).order_by("symbol"))
    series = {
        timeframe: candle_reads.extents(
            instrument_ids=[each.pk for each in listed], timeframe=timeframe
        )
        for timeframe in _READ
    }
    is_now = now - at <= _FRESH
    fresh = Quote.objects.filter(instrument__venue=venue, recorded_at__gte=now - _FRESH)
    quotes = {quote.instrument_id: quote for quote in fresh} if is_now else {}
    facts = []
    for instrument in listed:
        if instrument.delisted_at is not None and instrument.delisted_at <= at:
            continue
        firsts = [found[instrument.pk][0] for found in series.values() if instrument.pk in found]
        since = min([each for each in (instrument.listed_at, *firsts) if each], default=None)
        if since is not None and since >= at:
            continue
        timeframe = next((each for each in _READ if instrument.pk in series[each]), None)
        bars = _bars(instrument, timeframe, at) if timeframe else Candles.empty()
        facts.append(_facts(instrument, timeframe, bars, quotes.get(instrument.pk), since, at))
    return facts


def _bars(instrument: Instrument, timeframe: Timeframe, at: datetime) -> Candles:
    """Return the bars of the days before *at* that had closed by then."""
    at_ms = to_milliseconds(at)
    found = candle_reads.load_candles(
        instrument_id=instrument.pk,
        timeframe=timeframe,
        from_ms=at_ms - (VOLATILITY_DAYS + 2) * DAY_MS,
        to_ms=at_ms,
    )
    closed = len(found)
    while closed and timeframe.close_of(int(found.open_time[closed - 1])) > at_ms:
        closed -= 1
    return found.slice(0, closed)


def _facts(
    instrument: Instrument,
    timeframe: Timeframe | None,
    bars: Candles,
    quote: Quote | None,
    since: datetime | None,
    at: datetime,
) -> MarketFacts:
    price, volume = _price(bars), _day_volume(bars, at)
    spread = None
    if quote is not None:
        price = float(quote.last) if quote.last else price
        volume = float(quote.quote_volume) if quote.quote_volume is not None else volume
        if quote.bid and quote.ask:
            spread = universe.spread_bps(float(quote.bid), float(quote.ask))
    return MarketFacts(
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        price=price,
        quote_volume=volume,
        spread_bps=spread,
        age_days=None if since is None else (at - since) / timedelta(days=1),
        volatility=_volatility(bars, timeframe),
    )


def _price(bars: Candles) -> float | None:
    return float(bars.close[-1]) if len(bars) else None


def _day_volume(bars: Candles, at: datetime) -> float | None:
    """Return what traded in the last whole day of bars, in quote; None if the newest bar is too old."""
    if not len(bars) or from_milliseconds(int(bars.open_time[-1])) < at - timedelta(days=2):
        return None
    day = bars.open_time > bars.open_time[-1] - DAY_MS
    return float((bars.volume[day] * bars.close[day]).sum())


def _volatility(bars: Candles, timeframe: Timeframe | None) -> float | None:
    """Return the standard deviation of daily logarithmic returns over the last VOLATILITY_DAYS."""
    if timeframe is None or not len(bars):
        return None
    days = bars.open_time // DAY_MS
    last_of_day = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    closes = bars.close[last_of_day][-VOLATILITY_DAYS - 1 :]
    if len(closes) <= _LEAST_DAYS:
        return None
    return float(np.diff(np.log(closes)).std(ddof=1))
