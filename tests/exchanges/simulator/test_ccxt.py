"""An unmodified ccxt.binance, synchronous and asynchronous, pointed at the simulator."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.async_support as ccxt_async
import pytest

from tests.exchanges.simulator.running import SimulatorProcess

pytestmark = pytest.mark.enable_socket

SYMBOL = "BTC/USDT"


class Client:
    """Calls ccxt in either flavor as if it were synchronous."""

    def __init__(self, flavor: str, url: str, key: str) -> None:
        options = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}
        module = ccxt if flavor == "sync" else ccxt_async
        settings = {"apiKey": key, "secret": "SECRET", "options": options}
        self._runner = asyncio.Runner()
        self.exchange = module.binance({**settings, "enableRateLimit": False})
        for name in self.exchange.urls["api"]:
            path = "/sapi/v1" if name == "sapi" else "/api/v3"
            self.exchange.urls["api"][name] = url + path

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            async def wait() -> Any:
                result = getattr(self.exchange, name)(*arguments, **more)
                return await result if inspect.isawaitable(result) else result

            return self._runner.run(wait())

        return call

    def close(self) -> None:
        result = self.exchange.close()
        if inspect.isawaitable(result):

            async def wait() -> None:
                await result

            self._runner.run(wait())
        self._runner.close()


@pytest.fixture(params=["sync", "async"])
def venue(request, client, calm_simulator):
    ccxt_client = Client(request.param, calm_simulator.url, client.key)
    yield ccxt_client
    ccxt_client.close()


class TestMarketData:
    def test_markets_carry_steps_and_limits(self, venue):
        market = venue.load_markets()[SYMBOL]

        assert market["precision"]["price"] == 0.01
        assert market["precision"]["amount"] == 0.00001
        assert market["limits"]["cost"]["min"] == 5
        assert (market["spot"], market["active"], market["taker"]) == (True, True, 0.001)

    def test_the_clock_is_the_wall_clock(self, venue):
        assert abs(venue.fetch_time() - time.time() * 1_000) < 2_000

    def test_tickers(self, venue):
        ticker = venue.fetch_ticker(SYMBOL)
        assert (ticker["last"], ticker["bid"], ticker["ask"]) == (50_000, 49_999.99, 50_000.01)

        tickers = venue.fetch_tickers()
        assert set(tickers) == {SYMBOL, "BNB/USDT", "ETH/USDT", "SOL/USDT"}

    @pytest.mark.parametrize("timeframe", ["1s", "1m", "5m", "1h", "4h", "1d"])
    def test_a_thousand_candles_come_quickly_and_without_gaps(self, venue, timeframe):
        venue.load_markets()
        started = time.perf_counter()

        rows = venue.fetch_ohlcv("ETH/USDT", timeframe, limit=1_000)

        assert time.perf_counter() - started < 2
        step = ccxt.Exchange.parse_timeframe(timeframe) * 1_000
        assert [row[0] for row in rows] == list(range(rows[0][0], rows[0][0] + 1_000 * step, step))

    def test_candles_since_an_instant(self, venue):
        since = int(time.time() // 60 * 60 - 600) * 1_000

        rows = venue.fetch_ohlcv("ETH/USDT", "1m", since, 3)

        assert [row[0] for row in rows] == [since, since + 60_000, since + 120_000]

    def test_an_order_book(self, venue):
        book = venue.fetch_order_book(SYMBOL)

        assert (book["bids"][0][0], book["asks"][0][0]) == (49_999.99, 50_000.01)


class TestTrading:
    def test_a_market_order_comes_back_filled_with_its_fee(self, venue):
        order = venue.create_order(SYMBOL, "market", "buy", 0.1)

        assert (order["status"], order["filled"], order["average"]) == ("closed", 0.1, 50_000)
        assert order["fee"] == {"currency": "BTC", "cost": 0.0001}
        balance = venue.fetch_balance()
        assert (balance["BTC"]["free"], balance["USDT"]["free"]) == (1.0999, 95_000)

    def test_a_market_order_for_a_sum_of_quote(self, venue):
        order = venue.create_order(SYMBOL, "market", "buy", 0, None, {"quoteOrderQty": 1_000})

        assert (order["filled"], order["cost"]) == (0.02, 1_000)

    def test_a_limit_order_rests_is_found_and_is_canceled_by_either_id(self, venue):
        params = {"clientOrderId": "mine-1"}
        order = venue.create_order(SYMBOL, "limit", "buy", 0.1, 40_000, params)
        assert (order["status"], order["clientOrderId"]) == ("open", "mine-1")
        assert venue.fetch_balance()["USDT"]["used"] == 4_000

        by_id = venue.fetch_order(order["id"], SYMBOL)
        by_client_id = venue.fetch_order(None, SYMBOL, {"clientOrderId": "mine-1"})
        assert by_id["id"] == by_client_id["id"] == order["id"]
        assert [found["id"] for found in venue.fetch_open_orders(SYMBOL)] == [order["id"]]

        canceled = venue.cancel_order(None, SYMBOL, {"clientOrderId": "mine-1"})
        assert canceled["status"] == "canceled"
        assert venue.fetch_order(order["id"], SYMBOL)["status"] == "canceled"
        other = venue.create_order(SYMBOL, "limit", "buy", 0.1, 40_000, params)
        assert venue.cancel_order(other["id"], SYMBOL)["status"] == "canceled"
        assert venue.fetch_balance()["USDT"]["used"] == 0

    def test_stops_rest_and_are_canceled_together(self, venue):
        stop = venue.create_order(SYMBOL, "STOP_LOSS", "sell", 0.1, None, {"stopPrice": 49_000})
        limited = venue.create_order(
            SYMBOL, "STOP_LOSS_LIMIT", "sell", 0.1, 48_900, {"stopPrice": 49_000}
        )
        unified = venue.create_order(SYMBOL, "market", "sell", 0.1, None, {"stopLossPrice": 49_000})

        assert {o["triggerPrice"] for o in (stop, limited, unified)} == {49_000}
        assert {o["status"] for o in (stop, limited, unified)} == {"open"}
        assert len(venue.cancel_all_orders(SYMBOL)) == 3
        assert venue.fetch_open_orders(SYMBOL) == []

    def test_trades_are_paged_by_id_time_and_number(self, venue):
        begun = venue.fetch_time()
        for side in ("buy", "sell", "buy"):
            venue.create_order(SYMBOL, "market", side, 0.01)

        trades = venue.fetch_my_trades(SYMBOL)
        assert [trade["side"] for trade in trades] == ["buy", "sell", "buy"]
        assert [trade["fee"]["currency"] for trade in trades] == ["BTC", "USDT", "BTC"]
        assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
        ids = [trade["id"] for trade in trades]
        later = venue.fetch_my_trades(SYMBOL, None, None, {"fromId": ids[1]})
        assert [trade["id"] for trade in later] == ids[1:]
        first = venue.fetch_my_trades(SYMBOL, begun, 1)
        assert [trade["id"] for trade in first] == ids[:1]

    def test_refusals_arrive_as_the_exceptions_of_ccxt(self, venue):
        def sell(amount: float, price: float | None = None, **params: Any) -> None:
            kind = "market" if price is None else "limit"
            venue.create_order(SYMBOL, kind, "sell", amount, price, params)

        with pytest.raises(ccxt.InsufficientFunds):
            sell(10)
        # The filters LOT_SIZE and PRICE_FILTER are an InvalidOrder to ccxt, the others this:
        with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
            sell(0.00005)
        with pytest.raises(ccxt.OrderNotFound):
            venue.fetch_order("999999", SYMBOL)
        with pytest.raises(ccxt.OrderNotFound):
            venue.cancel_order("999999", SYMBOL)
        sell(0.1, 60_000, clientOrderId="twin")
        # For Binance, ccxt tells a duplicate from other refusals by the text alone.
        with pytest.raises(ccxt.InvalidOrder, match=r"Duplicate order sent\."):
            sell(0.1, 60_000, clientOrderId="twin")

    def test_a_wrong_key_is_an_authentication_error(self, venue):
        venue.exchange.apiKey = "unknown"

        with pytest.raises(ccxt.AuthenticationError):
            venue.fetch_balance()

    def test_the_key_may_trade_and_not_withdraw(self, venue):
        restrictions = venue.sapiGetAccountApiRestrictions()

        assert restrictions["enableSpotAndMarginTrading"] is True
        assert restrictions["enableWithdrawals"] is False


def test_a_stop_fills_on_the_replayed_market(simulator: SimulatorProcess):
    venue = Client("sync", simulator.url, "KEY")
    price = venue.fetch_ticker(SYMBOL)["last"]
    stop = venue.price_to_precision(SYMBOL, price * 0.9995)
    try:
        order = venue.create_order(SYMBOL, "STOP_LOSS", "sell", 0.1, None, {"stopPrice": stop})
    except ccxt.InvalidOrder:
        stop = venue.price_to_precision(SYMBOL, venue.fetch_ticker(SYMBOL)["last"] * 0.995)
        order = venue.create_order(SYMBOL, "STOP_LOSS", "sell", 0.1, None, {"stopPrice": stop})

    deadline = time.monotonic() + 90
    while order["status"] == "open" and time.monotonic() < deadline:
        time.sleep(0.25)
        order = venue.fetch_order(order["id"], SYMBOL)

    venue.close()
    assert order["status"] == "closed"
    assert order["average"] == float(stop)
