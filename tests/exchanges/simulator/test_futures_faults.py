"""Every fault of state as a client of the futures protocol meets it; fees are taken in the margin alone there."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.exchanges.simulator.conftest import write_script
from tests.exchanges.simulator.running import RawClient, SimulatorProcess

pytestmark = pytest.mark.enable_socket

BTC = {"symbol": "BTCUSDT"}
ORDER, STOP = "/fapi/v1/order", "/fapi/v1/algoOrder"


@pytest.fixture(scope="module")
def futures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A simulator on which BTC costs 50,000 and stays there."""
    script = tmp_path_factory.mktemp("script") / "calm.json"
    write_script(script, {"BTC/USDT": [[0, 50_000]], "ETH/USDT": [[0, 2_000]]})
    with SimulatorProcess("--script", str(script)) as running:
        yield running


@pytest.fixture
def client(futures: SimulatorProcess) -> Iterator[RawClient]:
    """A client of a fresh account with 10,000 USDT on the futures side."""
    client = RawClient(futures.url)
    client.key = f"key-{time.time_ns()}"
    document = {
        "api_key": client.key,
        "secret": client.secret,
        "futures_balances": {"USDT": "10000"},
    }
    assert client.admin("POST", "/simulator/accounts", document)[0] == 201
    yield client
    client.admin("DELETE", "/simulator/faults")
    client.close()


@pytest.fixture
def rule(client: RawClient) -> Callable[..., None]:
    """Program one fault for the account of the client."""

    def program(kind: str, **settings: Any) -> None:
        document = {"kind": kind, "account": client.key, **settings}
        status, answer = client.admin("POST", "/simulator/faults", document)
        assert status == 200, answer

    return program


def send(client: RawClient, **parameters: object) -> tuple[int, Any]:
    """Send a new order, a market order to sell 0.01 by default."""
    order = {**BTC, "side": "SELL", "type": "MARKET", "quantity": "0.010"}
    return client.signed("POST", ORDER, **(order | parameters))


def rest(client: RawClient, client_id: str, **parameters: object) -> tuple[int, Any]:
    """Send a limit order to sell far above the price."""
    limit = {"type": "LIMIT", "timeInForce": "GTC", "price": "60000"}
    return send(client, newClientOrderId=client_id, **(limit | parameters))


def find(client: RawClient, client_id: str) -> Any:
    return client.signed("GET", ORDER, **BTC, origClientOrderId=client_id)[1]


def trades(client: RawClient) -> Any:
    return client.signed("GET", "/fapi/v1/userTrades", **BTC)[1]


def position(client: RawClient) -> float:
    _, rows = client.signed("GET", "/fapi/v2/positionRisk", **BTC)
    return sum(float(row["positionAmt"]) for row in rows)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_short_is_opened_in_part_and_the_rest_later(client, rule):
    rule("PARTIAL_FILL", share=0.25, after_ms=200)
    send(client, quantity="0.040", newClientOrderId="parts", newOrderRespType="RESULT")
    assert find(client, "parts")["status"] == "PARTIALLY_FILLED"
    assert position(client) == -0.01

    eventually(lambda: find(client, "parts")["status"] == "FILLED")

    assert [trade["qty"] for trade in trades(client)] == ["0.01000000", "0.03000000"]
    assert position(client) == -0.04


def test_an_order_that_would_fill_at_once_fills_later(client, rule):
    rule("LATE_FILL", after_ms=200)
    send(client, newClientOrderId="late")
    assert (find(client, "late")["status"], position(client)) == ("NEW", 0)

    eventually(lambda: find(client, "late")["status"] == "FILLED")

    assert position(client) == -0.01


def test_a_canceled_order_fills_all_the_same(client, rule):
    rule("LATE_FILL_AFTER_CANCEL", after_ms=200)
    rest(client, "gone")
    status, canceled = client.signed("DELETE", ORDER, **BTC, origClientOrderId="gone")
    assert (status, canceled["status"]) == (200, "CANCELED")

    eventually(lambda: find(client, "gone")["status"] == "FILLED")

    assert position(client) == -0.01


def test_dust_is_left(client, rule):
    rule("DUST")

    send(client, quantity="0.010", newClientOrderId="dust")

    order = find(client, "dust")
    assert (order["status"], order["executedQty"]) == ("EXPIRED", "0.00900000")


def test_an_order_and_its_trades_are_hidden_from_so_many_look_ups(client, rule):
    rule("HIDDEN_ORDER", lookups=3)
    assert send(client, newClientOrderId="hidden")[0] == 200
    assert trades(client) == []

    codes = [find(client, "hidden").get("code") for _ in range(3)]

    assert codes == [-2013, -2013, None]
    assert len(trades(client)) == 1


def test_a_stop_is_hidden_as_well(client, rule):
    rule("HIDDEN_ORDER", lookups=2)
    stop = {**BTC, "side": "BUY", "type": "STOP_MARKET", "algoType": "CONDITIONAL"}
    amounts = {"quantity": "0.010", "triggerPrice": "60000", "clientAlgoId": "stop"}
    assert client.signed("POST", STOP, **stop, **amounts)[0] == 200

    answers = [client.signed("GET", STOP, clientAlgoId="stop") for _ in range(3)]

    assert [answer.get("code") for _, answer in answers] == [-2013, -2013, None]


def test_margin_is_gone_a_moment_too_late_for_orders_and_stops(client, rule):
    stop = {**BTC, "side": "BUY", "type": "STOP_MARKET", "algoType": "CONDITIONAL"}
    amounts = {"quantity": "0.010", "triggerPrice": "60000"}
    rule("FUNDS_GONE", count=2)

    refused = [send(client)[1]["code"], client.signed("POST", STOP, **stop, **amounts)[1]["code"]]

    assert refused == [-2019, -2019]
    assert (send(client)[0], position(client)) == (200, -0.01)


def test_lists_are_cut_doubled_and_out_of_order(client, rule):
    for _ in range(3):
        send(client)
    ids = [trade["id"] for trade in trades(client)]
    seen = []
    for kind in ("LIST_TRUNCATED", "TRADES_DUPLICATED", "TRADES_OUT_OF_ORDER"):
        rule(kind)
        seen.append([trade["id"] for trade in trades(client)])

    assert seen == [ids[:1], [id_ for id_ in ids for _ in range(2)], ids[::-1]]


def test_the_rules_of_a_contract_become_stricter_until_the_program_is_cleared(client, rule):
    changed = {"TICK_CHANGED": 100, "LOT_CHANGED": 10, "MINIMUM_NOTIONAL_CHANGED": 1_000}
    for kind, factor in changed.items():
        rule(kind, symbol="BTCUSDT", factor=factor)
        client.signed("GET", "/fapi/v2/account")

    codes = [
        answer.get("code", answer)
        for _, answer in (
            rest(client, "tick", price="60000.10"),
            send(client, quantity="0.011"),
            send(client, quantity="0.010"),
        )
    ]

    assert codes == [-4014, -4023, -4164]
    client.admin("DELETE", "/simulator/faults")
    assert send(client, quantity="0.011")[0] == 200


def test_a_delisted_contract_takes_no_orders_and_its_orders_have_expired(client, rule):
    rest(client, "open")
    rule("DELISTED", symbol="BTCUSDT")

    assert find(client, "open")["status"] == "EXPIRED"
    assert send(client)[1]["code"] == -4108


def test_maintenance_refuses_what_is_signed(client, rule):
    rule("MAINTENANCE", account="", call="ANY", count=1)

    status, answer = send(client)

    assert (status, answer["code"]) == (503, -1016)
    assert send(client)[0] == 200


def test_a_key_gains_a_permission_and_is_revoked(client, rule):
    rule("PERMISSION_GAINED")
    _, restrictions = client.signed("GET", "/sapi/v1/account/apiRestrictions")
    rule("KEY_REVOKED")

    refused = [send(client)[1]["code"] for _ in range(2)]

    assert restrictions["enableWithdrawals"] is True
    assert refused == [-2015, -2015]


def test_a_wrong_clock_refuses_right_timestamps(client, rule):
    rule("CLOCK_SKEWED", account="", count=2, offset_ms=-30_000)

    shown = client.public("/fapi/v1/time")["serverTime"]

    assert -31_000 < shown - time.time() * 1_000 < -29_000
    assert send(client)[1]["code"] == -1021
    assert send(client)[0] == 200


def test_an_order_that_may_only_make_is_refused_where_it_would_take(client):
    status, refused = rest(client, "taker", price="49000", timeInForce="GTX")
    rested, order = rest(client, "maker", timeInForce="GTX")

    assert (status, refused["code"]) == (400, -5022)
    assert (rested, order["status"], order["timeInForce"]) == (200, "NEW", "GTX")
    assert position(client) == 0


def test_an_order_that_may_only_reduce_opens_nothing(client):
    status, refused = send(client, reduceOnly="true")

    assert (status, refused["code"]) == (400, -2022)
    assert position(client) == 0
