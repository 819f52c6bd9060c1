"""Every refusal has the code that Binance gives it. Real requests over HTTP."""

import hashlib
import hmac
import time

import pytest

from tests.exchanges.simulator.running import RawClient, SimulatorProcess

pytestmark = pytest.mark.enable_socket


def now_ms() -> int:
    return time.time_ns() // 1_000_000


REFUSED_ORDERS = [
    ({"symbol": None}, -1102, "symbol"),
    ({"symbol": "btc"}, -1100, "symbol"),
    ({"symbol": "NOPE"}, -1121, "Invalid symbol"),
    ({"side": "HOLD"}, -1117, "Invalid side"),
    ({"type": "TAKE_PROFIT"}, -1116, "Invalid orderType"),
    ({"quantity": None}, -1102, "quantity"),
    ({"quantity": ""}, -1105, "quantity"),
    ({"quantity": "1e-3"}, -1100, "quantity"),
    ({"quantity": "-1"}, -1100, "quantity"),
    ({"quantity": "0.000000001"}, -1111, "quantity"),
    ({"quoteOrderQty": "50"}, -1128, "Combination"),
    ({"price": "50000"}, -1106, "price"),
    ({"stopPrice": "50000"}, -1106, "stopPrice"),
    ({"timeInForce": "GTC"}, -1106, "timeInForce"),
    ({"icebergQty": "1"}, -1106, "icebergQty"),
    ({"type": "LIMIT", "timeInForce": "GTC"}, -1102, "price"),
    ({"type": "LIMIT", "price": "50000"}, -1102, "timeInForce"),
    ({"type": "LIMIT", "price": "50000", "timeInForce": "GTD"}, -1115, "timeInForce"),
    ({"type": "STOP_LOSS"}, -1102, "stopPrice"),
    ({"type": "STOP_LOSS_LIMIT", "stopPrice": "51000", "timeInForce": "GTC"}, -1102, "price"),
    ({"newClientOrderId": "a b"}, -1100, "newClientOrderId"),
    ({"newClientOrderId": "x" * 37}, -1100, "newClientOrderId"),
    ({"newOrderRespType": "ALL"}, -1100, "newOrderRespType"),
    ({"quantity": "0.000001"}, -1013, "LOT_SIZE"),
    ({"quantity": "0"}, -1013, "LOT_SIZE"),
    ({"quantity": "0.0000123"}, -1013, "LOT_SIZE"),
    ({"quantity": "0.00009"}, -1013, "NOTIONAL"),
    ({"quantity": "1000"}, -1013, "NOTIONAL"),
    ({"type": "LIMIT", "price": "1.001", "timeInForce": "GTC"}, -1013, "PRICE_FILTER"),
    ({"type": "LIMIT", "price": "0", "timeInForce": "GTC"}, -1013, "PRICE_FILTER"),
    ({"type": "LIMIT", "price": "9000", "timeInForce": "GTC"}, -1013, "PERCENT_PRICE_BY_SIDE"),
    ({"quantity": "3"}, -2010, "insufficient balance"),
    ({"type": "LIMIT_MAKER", "price": "50001"}, -2010, "immediately match"),
    ({"type": "STOP_LOSS", "stopPrice": "49000"}, -2010, "trigger immediately"),
]


@pytest.mark.parametrize(("changes", "code", "text"), REFUSED_ORDERS)
def test_an_order_is_refused_with_its_code_and_changes_nothing(client, changes, code, text):
    status, answer = client.order(**changes)

    assert (status, answer["code"]) == (400, code), answer
    assert text in answer["msg"]
    _, account = client.signed("GET", "/api/v3/account")
    assert {b["asset"]: b["free"] for b in account["balances"]} == {
        "BTC": "1.00000000",
        "USDT": "100000.00000000",
    }


def test_a_client_order_id_is_refused_while_an_order_with_it_is_open(client):
    limit = {"type": "LIMIT", "price": "40000", "timeInForce": "GTC"}
    assert client.order(**limit, newClientOrderId="twin")[0] == 200

    status, answer = client.order(newClientOrderId="twin")

    assert (status, answer) == (400, {"code": -2010, "msg": "Duplicate order sent."})


class TestSignatures:
    def test_a_wrong_secret_is_1022(self, client):
        client.secret = "another"

        status, answer = client.signed("GET", "/api/v3/account")

        assert (status, answer["code"]) == (400, -1022)

    def test_a_changed_parameter_is_1022(self, client):
        headers = {"X-MBX-APIKEY": client.key}
        target = f"/api/v3/account?timestamp={now_ms()}&signature={'0' * 64}"

        assert client.send("GET", target, headers=headers)[1]["code"] == -1022

    def test_a_missing_signature_is_1102(self, client):
        headers = {"X-MBX-APIKEY": client.key}

        _, answer = client.send("GET", f"/api/v3/account?timestamp={now_ms()}", headers=headers)

        assert (answer["code"], "signature" in answer["msg"]) == (-1102, True)

    def test_a_missing_key_is_2014(self, client):
        status, answer = client.send("GET", "/api/v3/account")

        assert (status, answer["code"]) == (401, -2014)

    def test_an_unknown_key_is_2015(self, client):
        client.key = "unknown"

        status, answer = client.signed("GET", "/api/v3/account")

        assert (status, answer["code"]) == (401, -2015)

    def test_a_key_that_may_only_read_is_2015_when_it_trades(self, client):
        document = {"api_key": client.key, "secret": "SECRET", "permissions": ["READ"]}
        client.admin("POST", "/simulator/accounts", document)

        status, answer = client.order()

        assert (status, answer["code"]) == (401, -2015)
        assert client.signed("GET", "/api/v3/account")[0] == 200

    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            ({"timestamp": now_ms() + 3_600_000}, -1021),
            ({"timestamp": now_ms() - 3_600_000}, -1021),
            ({"timestamp": "soon"}, -1100),
            ({"timestamp": ""}, -1102),
            ({"recvWindow": 60_001}, -1131),
        ],
    )
    def test_the_time_of_a_request_is_checked(self, client, parameters, code):
        assert client.signed("GET", "/api/v3/account", **parameters)[1]["code"] == code

    def test_a_signed_body_counts_like_a_query(self, client):

        body = f"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&timestamp={now_ms()}"
        signature = hmac.new(b"SECRET", body.encode(), hashlib.sha256).hexdigest()
        headers = {
            "X-MBX-APIKEY": client.key,
            "Content-Type": "application/x-www-form-urlencoded",
        }

        status, answer = client.send(
            "POST", "/api/v3/order", body=f"{body}&signature={signature}", headers=headers
        )

        assert (status, answer["status"]) == (200, "FILLED")


class TestQuestions:
    @pytest.mark.parametrize(
        ("method", "path", "parameters", "code"),
        [
            ("GET", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": 999_999}, -2013),
            ("GET", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "none"}, -2013),
            ("GET", "/api/v3/order", {"symbol": "BTCUSDT"}, -1102),
            ("GET", "/api/v3/order", {"symbol": "NOPE", "orderId": 1}, -1121),
            ("DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": 999_999}, -2011),
            ("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"}, -2011),
            ("GET", "/api/v3/openOrders", {"symbol": "NOPE"}, -1121),
            ("GET", "/api/v3/myTrades", {}, -1102),
            ("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT", "limit": "0"}, -1100),
            ("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT", "fromId": 1, "startTime": 1}, -1128),
            (
                "GET",
                "/api/v3/allOrders",
                {"symbol": "BTCUSDT", "startTime": 1, "endTime": 86_400_002},
                -1127,
            ),
        ],
    )
    def test_signed_questions(self, client, method, path, parameters, code):
        assert client.signed(method, path, **parameters)[1]["code"] == code

    @pytest.mark.parametrize(
        ("target", "status", "code"),
        [
            ("/api/v3/klines?symbol=NOPE&interval=1m", 400, -1121),
            ("/api/v3/klines?symbol=BTCUSDT&interval=7m", 400, -1120),
            ("/api/v3/klines?symbol=BTCUSDT", 400, -1102),
            ("/api/v3/klines?interval=1m", 400, -1102),
            ("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=x", 400, -1100),
            ("/api/v3/ticker/price?symbol=NOPE", 400, -1121),
            ("/api/v3/ticker/price?symbol=BTCUSDT&symbols=[]", 400, -1128),
            ("/api/v3/ticker/price?symbols=BTCUSDT", 400, -1100),
            ("/api/v3/nothing", 404, -1000),
        ],
    )
    def test_public_questions(self, client, target, status, code):
        found, answer = client.send("GET", target)

        assert (found, answer["code"]) == (status, code)

    def test_a_method_that_a_path_does_not_know_is_405(self, client):
        assert client.send("PUT", "/api/v3/order")[0] == 405

    def test_an_order_of_somebody_else_does_not_exist(self, client, calm_simulator):
        _, mine = client.order()
        other = RawClient(calm_simulator.url)

        _, answer = other.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId=mine["orderId"])

        other.close()
        assert answer["code"] == -2013

    def test_a_canceled_order_cannot_be_canceled_again(self, client):
        _, order = client.order(type="LIMIT", price="40000", timeInForce="GTC")
        target = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
        assert client.signed("DELETE", "/api/v3/order", **target)[1]["status"] == "CANCELED"

        assert client.signed("DELETE", "/api/v3/order", **target)[1]["code"] == -2011
        assert client.signed("GET", "/api/v3/order", **target)[1]["status"] == "CANCELED"


def test_too_many_requests_in_a_minute_are_1003():
    with SimulatorProcess("--weight-limit", "3") as running:
        raw = RawClient(running.url)
        # Eight in a row: at most one of them begins a new minute.
        answers = [raw.send("GET", "/api/v3/ping") for _ in range(8)]
        raw.close()

    refused = [answer for status, answer in answers if status == 429]
    assert refused
    assert {answer["code"] for answer in refused} == {-1003}
