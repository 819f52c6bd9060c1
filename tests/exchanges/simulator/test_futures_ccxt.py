"""An unmodified ccxt.binanceusdm, pointed at the simulator: from a short to its liquidation."""

import time
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from tests.exchanges.simulator.conftest import write_script
from tests.exchanges.simulator.running import RawClient, SimulatorProcess

pytestmark = pytest.mark.enable_socket

SYMBOL = "BTC/USDT:USDT"
FUNDING_S = 2


@pytest.fixture(scope="module")
def futures_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A simulator on which BTC costs 50,000 until a test moves it, with funding every two seconds."""
    script = tmp_path_factory.mktemp("script") / "calm.json"
    write_script(script, {"BTC/USDT": [[0, 50_000]], "ETH/USDT": [[0, 2_000]]})
    options = ("--script", str(script), "--funding-seconds", str(FUNDING_S))
    with SimulatorProcess(*options) as running:
        yield running


@pytest.fixture
def raw(futures_simulator: SimulatorProcess) -> Iterator[RawClient]:
    """A client of a fresh account with 10,000 USDT on the futures side and nothing on the other."""
    client = RawClient(futures_simulator.url)
    client.key = f"key-{time.time_ns()}"
    document = {
        "api_key": client.key,
        "secret": client.secret,
        "futures_balances": {"USDT": "10000"},
    }
    assert client.admin("POST", "/simulator/accounts", document)[0] == 201
    assert client.admin("POST", "/simulator/funding", {"symbol": "BTCUSDT", "rate": "0"})[0] == 200
    yield client
    client.close()


@pytest.fixture
def venue(raw: RawClient, futures_simulator: SimulatorProcess) -> Any:
    return make_venue(raw, futures_simulator.url)


def make_venue(raw: RawClient, url: str) -> Any:
    options = {"fetchCurrencies": False, "warnOnFetchOpenOrdersWithoutSymbol": False}
    exchange = ccxt.binanceusdm(
        {"apiKey": raw.key, "secret": raw.secret, "options": options, "enableRateLimit": False}
    )
    exchange.has["fetchCurrencies"] = False
    paths = {"V2": "/fapi/v2", "V3": "/fapi/v3"}
    for name in exchange.urls["api"]:
        exchange.urls["api"][name] = url + paths.get(name[-2:], "/fapi/v1")
    exchange.urls["api"]["sapi"] = f"{url}/sapi/v1"
    return exchange


def move_price(raw: RawClient, price: float, *, symbol: str = "BTC/USDT") -> None:
    """Let the price jump, and wait until the mark price has followed."""
    script = {"stepped": True, "prices": {symbol: [[0, price]]}}
    status, answer = raw.admin("POST", "/simulator/script", script)
    assert status == 200, answer
    wait_until(lambda: time.time() * 1_000 > answer["start_ms"] + 1_250)


def wait_until(condition: Any, *, within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def calm(raw: RawClient) -> Iterator[None]:
    """Bring the price back at the end."""
    yield
    move_price(raw, 50_000)


def position_of(venue: Any) -> Any:
    positions = venue.fetch_positions([SYMBOL], {"useV2": True})
    return positions[0] if positions else None


class TestMarketData:
    def test_contracts_carry_steps_limits_and_their_kind(self, venue):
        market = venue.load_markets()[SYMBOL]

        assert (market["swap"], market["linear"], market["settle"]) == (True, True, "USDT")
        assert (market["contractSize"], market["active"]) == (1, True)
        assert market["precision"] == {"amount": 0.001, "price": 0.01, "base": 1e-8, "quote": 1e-8}
        assert market["limits"]["cost"]["min"] == 5

    def test_clock_prices_marks_and_candles(self, venue):
        assert abs(venue.fetch_time() - time.time() * 1_000) < 2_000
        assert venue.fetch_ticker(SYMBOL)["last"] == 50_000
        assert SYMBOL in venue.fetch_tickers()
        book = venue.fetch_bids_asks()[SYMBOL]
        assert (book["bid"], book["ask"]) == (49_999.99, 50_000.01)
        rate = venue.fetch_funding_rate(SYMBOL)
        assert (rate["markPrice"], rate["indexPrice"]) == (50_000, 50_000)
        assert 0 < rate["fundingTimestamp"] - time.time() * 1_000 <= FUNDING_S * 1_000
        # Of this market no test moves the price.
        rows = venue.fetch_ohlcv("ETH/USDT:USDT", "1m", limit=5)
        assert [row[4] for row in rows] == [2_000] * 5

    def test_fundings_of_the_past_lie_on_the_grid_and_never_change(self, venue):
        since = int(time.time() - 100) * 1_000

        history = venue.fetch_funding_rate_history("ETH/USDT:USDT", since, 10)

        assert [entry["timestamp"] % (FUNDING_S * 1_000) for entry in history] == [0] * 10
        assert history == venue.fetch_funding_rate_history("ETH/USDT:USDT", since, 10)
        assert len({entry["fundingRate"] for entry in history}) > 1
        assert all(-0.0002 <= entry["fundingRate"] <= 0.0004 for entry in history)


class TestPositions:
    def test_a_short_is_opened_turned_and_closed(self, venue):
        venue.set_leverage(10, SYMBOL)
        opened = venue.create_order(SYMBOL, "market", "sell", 0.2, None, {"clientOrderId": "s-1"})
        assert (opened["status"], opened["filled"], opened["average"]) == ("closed", 0.2, 50_000)
        assert opened["clientOrderId"] == "s-1"

        position = position_of(venue)
        assert (position["side"], position["contracts"]) == ("short", 0.2)
        assert (position["entryPrice"], position["leverage"]) == (50_000, 10)
        assert position["initialMargin"] == 1_000
        # 0.4 % of 10,000, and the price at which 9,995 of wallet no longer cover it.
        assert position["maintenanceMargin"] == 40
        assert position["liquidationPrice"] == pytest.approx((9_995 + 10_000) / 0.2 / 1.004)
        balance = venue.fetch_balance()["USDT"]
        assert balance["total"] == 9_995
        assert balance["free"] == 8_995

        venue.create_order(SYMBOL, "market", "buy", 0.3)
        assert (position_of(venue)["side"], position_of(venue)["contracts"]) == ("long", 0.1)
        venue.create_order(SYMBOL, "market", "sell", 0.1, None, {"reduceOnly": True})
        assert position_of(venue) is None
        trades = venue.fetch_my_trades(SYMBOL)
        assert [trade["side"] for trade in trades] == ["sell", "buy", "sell"]
        assert [trade["fee"]["cost"] for trade in trades] == [5, 7.5, 2.5]
        assert venue.fetch_balance()["USDT"]["total"] == 9_985

    def test_a_short_earns_what_the_price_falls(self, venue, raw, calm):
        venue.create_order(SYMBOL, "market", "sell", 0.1)
        move_price(raw, 49_000)
        wait_until(lambda: position_of(venue)["markPrice"] == 49_000)
        assert position_of(venue)["unrealizedPnl"] == 100

        venue.create_order(SYMBOL, "market", "buy", 0.1, None, {"reduceOnly": True})

        last = venue.fetch_my_trades(SYMBOL)[-1]["info"]
        assert (last["realizedPnl"], last["commission"]) == ("100.00000000", "2.45000000")
        assert venue.fetch_balance()["USDT"]["total"] == 10_000 - 2.5 + 100 - 2.45

    def test_reducing_orders_never_open_or_increase(self, venue):
        def reduce(side: str, amount: float) -> Any:
            return venue.create_order(SYMBOL, "market", side, amount, None, {"reduceOnly": True})

        with pytest.raises(ccxt.ExchangeError, match="-2022"):
            reduce("sell", 0.1)
        venue.create_order(SYMBOL, "market", "sell", 0.1)
        with pytest.raises(ccxt.ExchangeError, match="-2022"):
            reduce("sell", 0.1)

        order = reduce("buy", 0.3)

        assert (order["filled"], order["status"]) == (0.1, "expired")
        assert position_of(venue) is None

    def test_funding_moves_money_from_long_to_short(self, venue, raw):
        raw.admin("POST", "/simulator/funding", {"symbol": "BTCUSDT", "rate": "0.001"})
        venue.create_order(SYMBOL, "market", "sell", 0.1)

        wait_until(lambda: venue.fetch_funding_history(SYMBOL))

        income = venue.fetch_funding_history(SYMBOL)[0]
        assert income["amount"] == 5
        assert income["timestamp"] % (FUNDING_S * 1_000) == 0

    def test_what_can_no_longer_be_backed_is_taken_away(self, venue, raw, calm):
        venue.set_leverage(100, SYMBOL)
        venue.create_order(SYMBOL, "market", "sell", 5)
        resting = venue.create_order(SYMBOL, "limit", "buy", 0.1, 45_000)
        limit = position_of(venue)["liquidationPrice"]
        assert 51_500 < limit < 52_000

        move_price(raw, 51_500)
        assert position_of(venue)["contracts"] == 5
        move_price(raw, 52_500)
        wait_until(lambda: position_of(venue) is None)

        assert venue.fetch_order(resting["id"], SYMBOL)["status"] == "canceled"
        taken = venue.fetch_orders(SYMBOL)[-1]
        assert taken["clientOrderId"].startswith("autoclose-")
        assert 0 <= venue.fetch_balance()["USDT"]["total"] < 10_000

    def test_an_isolated_position_risks_what_was_set_aside(self, venue, raw, calm):
        venue.set_margin_mode("isolated", SYMBOL)
        venue.set_leverage(50, SYMBOL)
        venue.create_order(SYMBOL, "market", "sell", 0.1)
        position = position_of(venue)
        assert (position["marginMode"], position["positionMargin"]) == ("isolated", 100)
        with pytest.raises(ccxt.ExchangeError, match="-4048"):
            venue.set_margin_mode("cross", SYMBOL)

        move_price(raw, 55_000)
        wait_until(lambda: position_of(venue) is None)

        assert venue.fetch_balance()["USDT"]["total"] == 10_000 - 100 - 2.5


class TestOrders:
    def test_a_limit_order_rests_is_found_and_canceled_by_our_id(self, venue):
        params = {"clientOrderId": "rests"}
        order = venue.create_order(SYMBOL, "limit", "buy", 0.1, 40_000, params)
        assert order["status"] == "open"
        assert venue.fetch_balance()["USDT"]["used"] == 200
        assert venue.fetch_order(None, SYMBOL, params)["id"] == order["id"]
        assert [o["id"] for o in venue.fetch_open_orders(SYMBOL)] == [order["id"]]

        canceled = venue.cancel_order(None, SYMBOL, params)

        assert canceled["status"] == "canceled"
        assert venue.fetch_open_orders(SYMBOL) == []
        with pytest.raises(ccxt.OrderNotFound):
            venue.cancel_order(order["id"], SYMBOL)
        with pytest.raises(ccxt.OrderNotFound):
            venue.fetch_order(None, SYMBOL, {"clientOrderId": "never"})

    def test_a_stop_sends_its_order_when_it_is_touched(self, venue, raw, calm):
        venue.create_order(SYMBOL, "market", "sell", 0.1)
        params = {"stopLossPrice": 51_000, "closePosition": True, "clientOrderId": "protects"}
        stop = venue.create_order(SYMBOL, "market", "buy", None, None, params)
        by_id = {"clientOrderId": "protects", "trigger": True}
        assert (stop["status"], stop["triggerPrice"]) == ("open", 51_000)
        assert [o["id"] for o in venue.fetch_open_orders(SYMBOL, params={"trigger": True})] == [
            stop["id"]
        ]

        move_price(raw, 51_200)
        wait_until(lambda: venue.fetch_order(None, SYMBOL, by_id)["status"] == "closed")

        sent = venue.fetch_order(None, SYMBOL, by_id)["info"]["actualOrderId"]
        order = venue.fetch_order(sent, SYMBOL)
        assert (order["status"], order["average"], order["filled"]) == ("closed", 51_200, 0.1)
        assert position_of(venue) is None

    def test_a_profit_is_taken_on_the_other_side_of_the_price(self, venue, raw, calm):
        venue.create_order(SYMBOL, "market", "sell", 0.1)
        params = {"takeProfitPrice": 48_000, "reduceOnly": True}
        venue.create_order(SYMBOL, "market", "buy", 0.1, None, params)

        move_price(raw, 47_500)

        wait_until(lambda: position_of(venue) is None)
        assert venue.fetch_my_trades(SYMBOL)[-1]["price"] == 47_500

    def test_stops_are_canceled_one_by_one_and_together(self, venue):
        def make(name: str) -> Any:
            params = {"stopLossPrice": 45_000, "clientOrderId": name}
            return venue.create_order(SYMBOL, "market", "sell", 0.1, None, params)

        make("one")
        make("two")
        venue.cancel_order(None, SYMBOL, {"clientOrderId": "one", "trigger": True})
        found = venue.fetch_open_orders(SYMBOL, params={"trigger": True})
        assert [order["clientOrderId"] for order in found] == ["two"]

        venue.cancel_all_orders(SYMBOL, {"trigger": True})

        assert venue.fetch_open_orders(SYMBOL, params={"trigger": True}) == []

    def test_the_switch_of_a_dead_man_cancels_what_is_open(self, venue):
        venue.create_order(SYMBOL, "limit", "buy", 0.1, 40_000)
        params = {"symbol": "BTCUSDT", "countdownTime": 500}
        venue.fapiPrivatePostCountdownCancelAll(params)
        assert len(venue.fetch_open_orders(SYMBOL)) == 1

        wait_until(lambda: not venue.fetch_open_orders(SYMBOL))

    def test_refusals_arrive_as_the_exceptions_of_ccxt(self, venue):
        def order(kind: str, side: str, amount: float, price: float | None = None, **more: Any):
            return venue.create_order(SYMBOL, kind, side, amount, price, more)

        # ccxt tells the codes of the futures apart by the real address alone, hence the numbers.
        with pytest.raises(ccxt.ExchangeError, match="-2019"):
            order("market", "buy", 50)
        with pytest.raises(ccxt.ExchangeError, match="-4131"):
            order("limit", "buy", 0.1, 4_000)
        with pytest.raises(ccxt.ExchangeError, match="-4164"):
            venue.fapiPrivatePostOrder(
                {
                    "symbol": "ETHUSDT",
                    "side": "BUY",
                    "type": "MARKET",
                    "quantity": "0.001",
                }
            )
        order("limit", "buy", 0.1, 40_000, clientOrderId="twin")
        with pytest.raises(ccxt.ExchangeError, match="-4116"):
            order("limit", "buy", 0.1, 40_000, clientOrderId="twin")
        with pytest.raises(ccxt.ExchangeError, match="-5022"):
            order("limit", "buy", 0.1, 51_000, timeInForce="PO")
        with pytest.raises(ccxt.ExchangeError, match="-2021"):
            order("market", "buy", 0.1, stopLossPrice=49_000)
        with pytest.raises(ccxt.ExchangeError, match="-4028"):
            venue.fapiPrivatePostLeverage({"symbol": "BTCUSDT", "leverage": 126})
        with pytest.raises(ccxt.ExchangeError, match="-4120"):
            venue.fapiPrivatePostOrder(
                {"symbol": "BTCUSDT", "side": "BUY", "type": "STOP_MARKET", "stopPrice": "60000"}
            )

    def test_modes_of_the_position(self, venue):
        assert venue.fetch_position_mode()["hedged"] is False
        with pytest.raises(ccxt.ExchangeError, match="one-way"):
            venue.set_position_mode(True)
        with pytest.raises(ccxt.MarginModeAlreadySet):
            venue.set_margin_mode("cross", SYMBOL)

    def test_the_key_may_trade_futures(self, venue):
        assert venue.sapiGetAccountApiRestrictions()["enableFutures"] is True
