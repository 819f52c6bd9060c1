"""Which markets there are to declare a universe of."""

from typing import Final

from exchanges.selectors import candles, instruments
from market.errors import PlatformError

#: More markets are no better proposal, and take longer.
MAXIMUM_SYMBOLS: Final = 60


def universe_around(market: str, timeframe: str) -> str:
    """Return the markets like *market*, written as a universe; *market* as it is if there is none.

    Those are of the same venue, kind and currency of settlement, with stored candles of the
    timeframe, by symbol, at most MAXIMUM_SYMBOLS.
    """
    try:
        own = instruments.parse_market(market)
    except PlatformError:
        return market
    alike = sorted(
        series.instrument.symbol
        for series in candles.series()
        if series.timeframe.value == timeframe
        and series.instrument.venue_id == own.venue_id
        and (series.instrument.kind, series.instrument.settle) == (own.kind, own.settle)
    )
    chosen = alike[:MAXIMUM_SYMBOLS]
    return f"{own.venue.code}:{','.join(chosen)}" if chosen else market
