"""What a currency was worth, by the candles that are stored."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from exchanges.selectors import candles, instruments
from market import money
from market.errors import PlatformError
from market.timeframes import Timeframe, to_milliseconds

if TYPE_CHECKING:
    from exchanges.models import Instrument

#: An older close says nothing about what a fee was worth.
_OLDEST: Final = timedelta(days=1)

#: The shorter the bar, the nearer its close; series that nobody needs are not stored.
_TIMEFRAMES: Final = (
    Timeframe.M1,
    Timeframe.M5,
    Timeframe.M15,
    Timeframe.H1,
    Timeframe.H4,
    Timeframe.D1,
)


def price_near(instrument: "Instrument", *, currency: str, at: datetime) -> Decimal | None:
    """Return what one *currency* cost in the settle currency of *instrument* shortly before *at*.

    It is the last stored close of that market at the same venue within a day; None without one.
    """
    try:
        quoted = instruments.get_instrument(
            instrument.venue.code, f"{currency}/{instrument.settle}"
        )
    except PlatformError:
        return None
    until_ms = to_milliseconds(at)
    for timeframe in _TIMEFRAMES:
        bars = candles.load_candles(
            instrument_id=quoted.pk,
            timeframe=timeframe,
            from_ms=to_milliseconds(at - _OLDEST),
            # Bars that have closed by then.
            to_ms=timeframe.open_of(until_ms),
        )
        if len(bars):
            return money.decimal_of(float(bars.close[-1]))
    return None
