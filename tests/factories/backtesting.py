"""Runs over a market that swings, so that a crossover trades on it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from accounts.models import User
from backtesting.models import BacktestRun
from backtesting.services import execution, runs
from exchanges.models import Instrument
from foundation.audit import Actor
from market.timeframes import Timeframe, from_milliseconds
from tests.factories import exchanges as exchange_factory
from tests.factories import strategies as strategy_factory

#: The first bar of the stored hours, and where they end.
FIRST_AT = from_milliseconds(exchange_factory.NEW_YEAR_MS)
BARS = 600
END_AT = FIRST_AT + timedelta(hours=BARS)
#: When requests are made, well after the candles.
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
#: Five times the slow average of 20 bars.
WARM_UP_BARS = 100


def swinging_closes(bars: int = BARS) -> list[float]:
    """Return prices that swing by a tenth around a slow rise."""
    steps = np.arange(bars)
    prices = 30_000 * (1 + 0.05 * np.sin(steps / 9) + steps / 10_000)
    return [round(price, 2) for price in prices.tolist()]


def make_market(*, bars: int = BARS) -> Instrument:
    """Return BTC/USDT at Binance with *bars* hours of candles, beside a filled catalogue."""
    strategy_factory.make_catalogue()
    instrument = exchange_factory.make_instrument()
    candles = exchange_factory.make_candles(swinging_closes(bars), timeframe=Timeframe.H1)
    exchange_factory.store_candles(instrument, Timeframe.H1, candles)
    return instrument


def wish(**changes: Any) -> dict[str, Any]:
    """Return the arguments of a valid request, except who asks and when."""
    return {
        "strategy_slug": "ema-crossover",
        "market": "binance:BTC/USDT",
        "timeframe": "1h",
        "from_at": FIRST_AT,
        "to_at": END_AT,
        "parameters": {"short_ema_period": 5},
        "capital": Decimal(10_000),
        **changes,
    }


def make_run(owner: User, *, now: datetime = NOW, **changes: Any) -> BacktestRun:
    """Return a waiting run; the market has to be there."""
    return runs.request_run(owner=owner, by=Actor.person(owner.pk), now=now, **wish(**changes))


def make_done_run(owner: User, *, now: datetime = NOW, **changes: Any) -> BacktestRun:
    """Return a run with its result; the market has to be there."""
    run = make_run(owner, now=now, **changes)
    execution.execute_run(run_id=run.pk)
    run.refresh_from_db()
    return run
