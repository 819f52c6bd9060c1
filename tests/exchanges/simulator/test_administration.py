"""What only the administrator may do, and what every visitor may see."""

import time
from http.client import HTTPConnection, RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.exchanges.simulator.running import RawClient

pytestmark = pytest.mark.enable_socket

BTC = {"symbol": "BTCUSDT"}


def price(client: RawClient) -> float:
    return float(client.public("/api/v3/ticker/price", **BTC)["price"])


class TestAccounts:
    def test_a_known_key_keeps_its_balances(self, client):
        client.order()
        document = {"api_key": client.key, "secret": client.secret, "balances": {"USDT": "5"}}

        status, answer = client.admin("POST", "/simulator/accounts", document)

        assert (status, answer) == (200, {"created": False})
        _, account = client.signed("GET", "/api/v3/account")
        assert account["balances"][1]["free"] == "99500.00000000"

    @pytest.mark.parametrize(
        "document",
        [
            None,
            {},
            {"api_key": "k"},
            {"api_key": "k k", "secret": "s"},
            {"api_key": "k", "secret": ""},
            {"api_key": "k", "secret": "s", "balances": {"USDT": "-1"}},
            {"api_key": "k", "secret": "s", "balances": {"USDT": "much"}},
            {"api_key": "k", "secret": "s", "balances": {"usdt": "1"}},
            {"api_key": "k", "secret": "s", "permissions": ["FLY"]},
        ],
    )
    def test_a_bad_description_is_refused_with_a_reason(self, client, document):
        status, answer = client.admin("POST", "/simulator/accounts", document)

        assert status == 400
        assert answer["detail"]

    @pytest.mark.parametrize("path", ["accounts", "script", "faults"])
    def test_without_the_token_nothing_is_done(self, client, path):
        status, _ = client.send("POST", f"/simulator/{path}", body="{}")

        assert status == 403


class TestScript:
    def test_prices_follow_from_now_on_and_what_was_served_stays(self, client):
        now_ms = time.time_ns() // 1_000_000
        window = {**BTC, "interval": "1s", "endTime": now_ms - 2_000, "limit": 100}
        before = client.public("/api/v3/klines", **window)
        start = price(client)

        path = [[0, start], [0.5, start * 1.02], [600, start * 1.02]]
        status, _ = client.admin("POST", "/simulator/script", {"prices": {"BTC/USDT": path}})
        time.sleep(1.1)

        assert status == 200
        assert price(client) == pytest.approx(start * 1.02)
        assert client.public("/api/v3/klines", **window) == before
        back = [[0, start * 1.02], [0.5, 50_000]]
        client.admin("POST", "/simulator/script", {"prices": {"BTC/USDT": back}})
        time.sleep(1.1)
        assert price(client) == 50_000

    def test_a_new_market_appears(self, client):
        client.admin("POST", "/simulator/script", {"prices": {"NEW/USDT": [[0, 2.5]]}})

        rows = client.public("/api/v3/klines", symbol="NEWUSDT", interval="1d", limit=3)

        assert {row[4] for row in rows} == {"2.50000000"}

    @pytest.mark.parametrize(
        "document", [None, {"prices": {}, "start_ms": 1}, {"prices": {"BTC/USDT": [[0, -1]]}}]
    )
    def test_a_broken_script_or_one_for_the_past_is_refused(self, client, document):
        assert client.admin("POST", "/simulator/script", document)[0] == 400


class TestFaults:
    def program(self, client: RawClient, **fault: object) -> None:
        document = {"method": "POST", "path": "/api/v3/order", **fault}
        assert client.admin("POST", "/simulator/faults", document)[0] == 200

    def orders(self, client: RawClient) -> list[Any]:
        _, orders = client.signed("GET", "/api/v3/allOrders", **BTC)
        return list(orders)

    def test_accepted_and_then_closed_without_an_answer(self, client):
        self.program(client, kind="CLOSE", executes=True)

        with pytest.raises((RemoteDisconnected, ConnectionError)):
            client.order(newClientOrderId="lost")

        assert [order["clientOrderId"] for order in self.orders(client)] == ["lost"]
        assert client.order()[0] == 200

    def test_dropped_before_it_was_accepted(self, client):
        self.program(client, kind="CLOSE")

        with pytest.raises((RemoteDisconnected, ConnectionError)):
            client.order()

        assert self.orders(client) == []

    def test_a_page_instead_of_an_answer(self, client, calm_simulator):
        self.program(client, kind="ANSWER", executes=True, body="<html>maintenance</html>")
        connection = HTTPConnection(urlsplit(calm_simulator.url).netloc, timeout=5)

        connection.request("POST", "/api/v3/order", body="")
        response = connection.getresponse()

        assert (response.status, response.read()) == (200, b"<html>maintenance</html>")
        connection.close()

    def test_an_error_instead_of_an_answer_for_as_often_as_programmed(self, client):
        self.program(
            client,
            kind="ANSWER",
            status=503,
            count=2,
            body='{"code":-1008,"msg":"Server is busy."}',
            retry_after_s=3,
        )

        statuses = [client.order()[0] for _ in range(3)]

        assert statuses == [503, 503, 200]
        assert len(self.orders(client)) == 1

    def test_a_delay(self, client):
        self.program(client, kind="DELAY", delay_ms=300)
        started = time.perf_counter()

        assert client.order()[0] == 200

        assert time.perf_counter() - started >= 0.3

    def test_cleared_faults_do_not_happen(self, client):
        self.program(client, kind="CLOSE", count=5)

        client.admin("DELETE", "/simulator/faults")

        assert client.order()[0] == 200

    @pytest.mark.parametrize(
        "document",
        [
            None,
            {"path": "/"},
            {"path": "/", "kind": "EXPLODE"},
            {"path": "/", "kind": "DELAY", "delay_ms": -1},
            {"path": "/", "kind": "DELAY", "executes": False},
            {"path": "/", "kind": "ANSWER", "status": 99},
            {"path": "/", "kind": "CLOSE", "count": -1},
        ],
    )
    def test_a_bad_description_is_refused(self, client, document):
        assert client.admin("POST", "/simulator/faults", document)[0] == 400


def test_the_status_needs_no_token(client):
    status = client.public("/simulator/status")

    assert status["prices"]["BTC/USDT"] == "50000.00000000"
    assert status["accounts"] >= 1
