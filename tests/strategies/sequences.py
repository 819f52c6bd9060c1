"""Hand-made bars, and what a strategy says of them."""

from collections.abc import Iterable

import numpy as np

from market.candles import Candles
from market.timeframes import Timeframe
from strategies.signals import Signals
from strategies.views import MarketView

#: Open, high, low and close of a bar, or the one price that it opens, closes and stays at.
Prices = float | tuple[float, float, float, float]


def view_of(bars: Iterable[Prices], timeframe: Timeframe = Timeframe.H1) -> MarketView:
    """Return *bars*, the first of them at time 0."""
    each_in_full = (bar if isinstance(bar, tuple) else (bar, bar, bar, bar) for bar in bars)
    rows = [
        (index * timeframe.milliseconds, float(first), float(high), float(low), float(last), 1.0)
        for index, (first, high, low, last) in enumerate(each_in_full)
    ]
    return MarketView(Candles.from_rows(rows), timeframe)


def spoken(signals: Signals) -> dict[str, list[int]]:
    """Return the bars of each signal that is given at all."""
    names = ("enter_long", "enter_short", "exit_long", "exit_short")
    bars = {name: np.flatnonzero(getattr(signals, name)).tolist() for name in names}
    return {name: found for name, found in bars.items() if found}


def mirrored(closes: Iterable[float], around: float = 100.0) -> list[float]:
    """Return *closes* upside down: what rose by a point falls by one."""
    return [2 * around - close for close in closes]
