"""The stored bars of many symbols on one time grid."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.specification import Specification
from exchanges.models import Instrument
from exchanges.selectors import candles
from market.candles import Candles
from strategies.views import UniverseView

#: The declared universe of a venue may be larger; checks show no more on more symbols.
MAXIMUM_SYMBOLS: Final = 60


def universe_of(specification: Specification) -> UniverseView:
    """Return the bars of the window and its warm-up, of every market like that of *specification*.

    Those are of the same venue, kind and quote currency, with stored candles of the timeframe, by
    symbol, at most MAXIMUM_SYMBOLS.
    """
    own = Instrument.objects.get(pk=specification.terms.instrument_id)
    alike = [
        series.instrument
        for series in candles.series()
        if series.timeframe is specification.timeframe
        and series.instrument.venue_id == own.venue_id
        and series.instrument.kind == own.kind
        and series.instrument.quote == own.quote
    ]
    loaded = {
        instrument.symbol: candles.load_candles(
            instrument_id=instrument.pk,
            timeframe=specification.timeframe,
            from_ms=specification.window.load_from_ms,
            to_ms=specification.window.to_ms,
        )
        for instrument in sorted(alike, key=lambda each: each.symbol)[:MAXIMUM_SYMBOLS]
    }
    return on_one_grid(loaded, specification)


def on_one_grid(loaded: dict[str, Candles], specification: Specification) -> UniverseView:
    """Return *loaded*, bars by symbol, on the grid of all their times; NaN where there is no bar."""
    times = np.unique(np.concatenate([each.open_time for each in loaded.values()]))
    columns = []
    for column in range(1, 6):
        values = np.full((len(loaded), len(times)), np.nan)
        for row, bars in enumerate(loaded.values()):
            values[row, np.searchsorted(times, bars.open_time)] = _column(bars, column)
        columns.append(values)
    return UniverseView(tuple(loaded), specification.timeframe, times, *columns)


def _column(bars: Candles, number: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = bars.columns()[number].astype(np.float64, copy=False)
    return values
