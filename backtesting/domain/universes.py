"""Many markets of one run: as a row keeps them, and their bars on one time grid.

A universe is declared: it is what somebody named, listed late and delisted markets included. Nothing
is left out for having fared badly.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np

from backtesting.domain.specification import Terms
from backtesting.domain.windows import Window, stretch_bounds
from backtesting.engine import data_fingerprint
from market.candles import Candles
from market.enums import InstrumentKind
from market.timeframes import Timeframe
from strategies.views import UniverseView

#: How many markets a universe may have.
MAXIMUM_MARKETS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class UniverseStretch:
    """The bars that a run over many markets works on, and the first one that it may trade on."""

    view: UniverseView
    start_index: int

    @property
    def trade_from_ms(self) -> int:
        """Open time of the first bar at whose close a position may be decided."""
        return int(self.view.open_time[self.start_index])


def stored_terms(terms: Terms) -> dict[str, Any]:
    """Return *terms* as plain values that survive JSON."""
    return {
        "instrument": terms.instrument_id,
        "symbol": terms.symbol,
        "kind": terms.kind.value,
        "tick_size": format(terms.tick_size, "f"),
        "lot_step": format(terms.lot_step, "f"),
        "minimum_quantity": format(terms.minimum_quantity, "f"),
        "minimum_notional": format(terms.minimum_notional, "f"),
    }


def terms_from(stored: Mapping[str, Any], *, venue: str) -> Terms:
    """Return what ``stored_terms`` wrote."""
    return Terms(
        instrument_id=stored["instrument"],
        venue=venue,
        symbol=stored["symbol"],
        kind=InstrumentKind(stored["kind"]),
        tick_size=Decimal(stored["tick_size"]),
        lot_step=Decimal(stored["lot_step"]),
        minimum_quantity=Decimal(stored["minimum_quantity"]),
        minimum_notional=Decimal(stored["minimum_notional"]),
    )


def view_of(
    symbols: Sequence[str], candles: Sequence[Candles], timeframe: Timeframe
) -> UniverseView:
    """Return *candles*, one for each of *symbols*, on the grid of all times at which one has a bar."""
    grid = np.unique(np.concatenate([each.open_time for each in candles]))
    columns = np.full((5, len(candles), len(grid)), np.nan)
    for row, each in enumerate(candles):
        places = np.searchsorted(grid, each.open_time)
        for column, values in enumerate(each.columns()[1:]):
            columns[column, row, places] = values
    return UniverseView(tuple(symbols), timeframe, grid, *columns)


def universe_stretch(view: UniverseView, window: Window, *, warm_up_bars: int) -> UniverseStretch:
    """Return exactly the warm-up bars in front of the window, if there are so many, and the window.

    Raises NoCandlesError or WindowTooShortError.
    """
    begin, end = stretch_bounds(view.open_time, window, warm_up_bars=warm_up_bars)
    columns = (
        np.ascontiguousarray(column[:, begin:end])
        for column in (view.open, view.high, view.low, view.close, view.volume)
    )
    part = UniverseView(view.symbols, view.timeframe, view.open_time[begin:end], *columns)
    return UniverseStretch(part, start_index=warm_up_bars)


def universe_fingerprint(view: UniverseView) -> str:
    """Return the SHA-256 (hex) of the symbols with the fingerprint of each one's candles."""
    digest = hashlib.sha256()
    for row, symbol in enumerate(view.symbols):
        digest.update(f"{symbol}\n{data_fingerprint(candles_of(view, row))}\n".encode())
    return digest.hexdigest()


def candles_of(view: UniverseView, row: int) -> Candles:
    """Return the bars that the symbol *row* has."""
    there = ~np.isnan(view.close[row])
    columns = (view.open, view.high, view.low, view.close, view.volume)
    return Candles(view.open_time[there], *(column[row, there] for column in columns))
