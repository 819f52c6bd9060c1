"""Venues, instruments, candles."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import transaction

from exchanges.models import Instrument, Venue
from exchanges.services import candles as candle_store
from market.candles import Candles
from market.enums import InstrumentKind
from market.timeframes import Timeframe

#: 2024-01-01T00:00:00Z, a Monday.
NEW_YEAR_MS = 1_704_067_200_000


def make_venue(code: str = "binance", **fields: Any) -> Venue:
    """Return a venue that can be asked for candles."""
    defaults: dict[str, Any] = {"name": code.title(), "ccxt_id": "binance", "real_money": False}
    return Venue.objects.create(code=code, **(defaults | fields))


def make_instrument(
    symbol: str = "BTC/USDT", *, venue: Venue | None = None, **fields: Any
) -> Instrument:
    """Return a spot instrument with a tick of 0.01 and a lot of 0.00001, at a new venue unless one is given."""
    base, quote = symbol.split("/")
    defaults: dict[str, Any] = {
        "kind": InstrumentKind.SPOT,
        "base": base,
        "quote": quote,
        "settle": quote,
        "tick_size": Decimal("0.01"),
        "lot_step": Decimal("0.00001"),
        "minimum_quantity": Decimal("0.00001"),
        "minimum_notional": Decimal(5),
    }
    return Instrument.objects.create(
        venue=venue or make_venue(), symbol=symbol, **(defaults | fields)
    )


def make_candles(
    closes: Sequence[float],
    *,
    timeframe: Timeframe = Timeframe.H1,
    first_open_ms: int = NEW_YEAR_MS,
) -> Candles:
    """Return bars without a hole: each opens at the close before, its range is one around both, its volume 10."""
    times = [first_open_ms]
    for _ in closes[1:]:
        times.append(timeframe.close_of(times[-1]))
    close = np.array(closes, dtype=np.float64)
    open_ = np.concatenate([close[:1], close[:-1]])
    return Candles(
        np.array(times, dtype=np.int64),
        open_,
        np.maximum(open_, close) + 0.5,
        np.minimum(open_, close) - 0.5,
        close,
        np.full(len(close), 10.0),
    )


def store_candles(instrument: Instrument, timeframe: Timeframe, candles: Candles) -> None:
    """Put *candles* into the store as an import would."""
    with transaction.atomic():
        candle_store.merge_into_chunks(
            instrument_id=instrument.pk, timeframe=timeframe, candles=candles
        )
