"""A universe of markets that differ in direction, listing and delisting."""

from typing import Any

import numpy as np

from exchanges.models import Instrument
from market.candles import Candles
from market.enums import InstrumentKind
from market.timeframes import Timeframe
from tests.factories import exchanges as exchange_factory
from tests.factories import strategies as strategy_factory
from tests.factories.backtesting import BARS, END_AT, FIRST_AT

SYMBOLS = ("ADA/USDT", "BTC/USDT", "ETH/USDT", "SOL/USDT")
UNIVERSE = f"binance:{','.join(SYMBOLS)}"


def make_universe(kind: InstrumentKind = InstrumentKind.SPOT) -> list[Instrument]:
    """Return four markets at Binance with hours of candles, one listed late and one delisted."""
    strategy_factory.make_catalogue()
    venue = exchange_factory.make_venue()
    found = []
    for row, symbol in enumerate(SYMBOLS):
        instrument = exchange_factory.make_instrument(symbol, venue=venue, kind=kind)
        candles = walk(row)
        if symbol == "ADA/USDT":
            candles = candles.slice(200, BARS)
        if symbol == "SOL/USDT":
            candles = candles.slice(0, BARS - 100)
        exchange_factory.store_candles(instrument, Timeframe.H1, candles)
        found.append(instrument)
    return found


def walk(seed: int, bars: int = BARS) -> Candles:
    """Return a random walk that is traded for much."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.015, bars)))
    opens = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opens, close) * 1.004, np.minimum(opens, close) * 0.996
    times = exchange_factory.NEW_YEAR_MS + np.arange(bars, dtype=np.int64) * 3_600_000
    opens, high, low, close = (np.round(column, 2) for column in (opens, high, low, close))
    return Candles(times, opens, high, low, close, np.full(bars, 1_000_000.0))


def universe_wish(**changes: Any) -> dict[str, Any]:
    """Return the arguments of a valid request over the universe, except who asks and when."""
    return {
        "strategy_slug": "top-movers-macd",
        "universe": UNIVERSE,
        "timeframe": "1h",
        "from_at": FIRST_AT,
        "to_at": END_AT,
        "parameters": {"top_n_symbols": 2},
        **changes,
    }
