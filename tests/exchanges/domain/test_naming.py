"""What the path of a candle file says."""

from pathlib import Path

import pytest

from exchanges.domain import naming
from market.enums import InstrumentKind
from market.timeframes import Timeframe


@pytest.mark.parametrize(
    ("path", "symbol", "timeframe"),
    [
        ("BTC-USDT/1h.csv", "BTC/USDT", Timeframe.H1),
        ("BTC-USDT/1M.parquet", "BTC/USDT", Timeframe.MO1),
        ("ada/ADA_BTC/1d.csv", "ADA/BTC", Timeframe.D1),
        ("downloads/BTCUSDT-1h-2024-01.csv", "BTC/USDT", Timeframe.H1),
        ("downloads/ETHBTC-1m-2024-01-31.csv", "ETH/BTC", Timeframe.M1),
        ("downloads/1000SATSFDUSD-15m-2024-01.csv", "1000SATS/FDUSD", Timeframe.M15),
        ("downloads/BTCUSDT-1mo-2024-01.csv", "BTC/USDT", Timeframe.MO1),
        ("data/BTC_USDT-5m.csv", "BTC/USDT", Timeframe.M5),
    ],
)
def test_the_usual_layouts_are_understood(path, symbol, timeframe):
    name = naming.read_name(Path(path), venue_code="binance")

    assert name.market is not None
    assert (name.market.symbol, name.timeframe) == (symbol, timeframe)
    assert name.market.kind is InstrumentKind.SPOT


@pytest.mark.parametrize(
    ("venue", "path", "symbol", "settle"),
    [
        ("ftx", "BTC-PERP/1m.parquet", "BTC/USD:USD", "USD"),
        ("binanceusdm", "XRP-USDT/1h.parquet", "XRP/USDT:USDT", "USDT"),
    ],
)
def test_perpetuals_are_linear_swaps(venue, path, symbol, settle):
    market = naming.read_name(Path(path), venue_code=venue).market

    assert market is not None
    assert (market.symbol, market.settle) == (symbol, settle)
    assert market.kind is InstrumentKind.LINEAR_SWAP


@pytest.mark.parametrize("path", ["prices.csv", "folder/7h.csv", "x/QQQ-1h-2024-01.csv"])
def test_what_is_not_said_is_not_guessed(path):
    name = naming.read_name(Path(path), venue_code="binance")

    assert name.market is None or name.timeframe is None


@pytest.mark.parametrize("name", ["1h-mark.parquet", "8h-funding_rate.parquet", "8h-FUNDING.csv"])
def test_mark_prices_and_funding_are_skipped_with_a_reason(name):
    assert "no kind here yet" in (naming.skip_reason(Path("XRP-USDT") / name) or "")


def test_candles_are_not_skipped():
    assert naming.skip_reason(Path("XRP-USDT/1h.parquet")) is None
