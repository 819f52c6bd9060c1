"""What is proven when the exchange or the network misbehaves: only a structured no is a no."""

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from exchanges.adapters import ccxt, ccxt_market, packs
from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.protocol import OutcomeKind
from market.enums import OrderStatus, OrderType, Side
from market.errors import (
    CredentialRejectedError,
    VenueError,
    VenueRejectedError,
    VenueTimeoutError,
    VenueUnavailableError,
)
from tests.exchanges.adapters.contract import SYMBOL, make_order

pytestmark = pytest.mark.enable_socket

ORDER = "/api/v3/order"
LONG_AGO = datetime.now(UTC) - timedelta(days=1)
HTML = "<html><body>Please wait</body></html>"


def refusal(code, text="No."):
    return {
        "status": 400,
        "body": json.dumps({"code": code, "msg": text}),
        "content_type": "application/json",
    }


#: What comes back although the order was carried out; each must leave it UNKNOWN.
AFTER_ACCEPTING = {
    "the connection closes": ("CLOSE", {}),
    "a page with status 200": ("ANSWER", {"body": HTML}),
    "an empty answer with status 200": ("ANSWER", {"body": ""}),
    "broken JSON with status 200": ("ANSWER", {"body": '{"orderId": 1'}),
    "an empty object": ("ANSWER", {"body": "{}", "content_type": "application/json"}),
    "an empty list": ("ANSWER", {"body": "[]", "content_type": "application/json"}),
    "a bad gateway": ("ANSWER", {"status": 502, "body": HTML}),
    "an empty server error": ("ANSWER", {"status": 500, "body": ""}),
    "a gateway timeout of a proxy": ("ANSWER", {"status": 524, "body": HTML}),
    "a redirect": ("ANSWER", {"status": 307, "body": ""}),
    "a forbidden page of a proxy": ("ANSWER", {"status": 403, "body": HTML}),
    "too many requests, by a proxy": ("ANSWER", {"status": 429, "body": HTML}),
    "the venue does not know itself": ("ANSWER", refusal(-1007, "Send status unknown.")),
    "an unexpected answer inside": ("ANSWER", refusal(-1006)),
    "a code that nobody knows": ("ANSWER", refusal(-9999)),
    "a refusal with a server's status": ("ANSWER", {**refusal(-2010), "status": 503}),
}


@pytest.mark.parametrize("case", AFTER_ACCEPTING)
def test_an_order_that_was_accepted_is_unknown_and_found_by_its_client_id(simulator, case):
    kind, fields = AFTER_ACCEPTING[case]
    simulator.misbehave(ORDER, kind, method="POST", executes=True, **fields)
    order = make_order()
    before = simulator.count_orders()

    outcome = simulator.submit(order)

    assert outcome.kind is OutcomeKind.UNKNOWN
    assert outcome.report is None
    assert outcome.evidence["wire_started"] is True
    assert simulator.count_orders() == before + 1
    assert simulator.find(order).status is OrderStatus.FILLED


@pytest.mark.parametrize("case", AFTER_ACCEPTING)
def test_an_order_that_was_lost_is_unknown_too(simulator, case):
    kind, fields = AFTER_ACCEPTING[case]
    simulator.misbehave(ORDER, kind, method="POST", executes=False, **fields)
    order = make_order()

    outcome = simulator.submit(order)

    assert outcome.kind is OutcomeKind.UNKNOWN
    assert simulator.find(order) is None


def test_a_slow_answer_is_cut_off_at_the_deadline(simulator):
    simulator.run(lambda c: c.last_price(SYMBOL))
    simulator.misbehave(ORDER, "DELAY", method="POST", delay_ms=3_000)
    order = make_order()

    outcome = simulator.run(lambda c: c.submit(order, timeout_s=0.5))

    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "venue_timeout")


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        (-1003, "rate_limited"),
        (-1015, "rate_limited"),
        (-1021, "clock_skew"),
        (-1111, "venue_rejected"),
        (-2015, "credential_rejected"),
    ],
)
def test_a_structured_no_before_matching_is_a_refusal(simulator, code, ours):
    simulator.misbehave(ORDER, "ANSWER", method="POST", **refusal(code))

    outcome = simulator.submit(make_order())

    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, ours)
    assert outcome.message == "No."


def test_a_duplicate_that_cannot_be_looked_up_stays_unknown(simulator):
    order = make_order(order_type=OrderType.LIMIT, price=simulator.price("0.8"))
    simulator.submit(order)
    simulator.misbehave(ORDER, "ANSWER", method="GET", status=502, body=HTML)

    outcome = simulator.submit(order)

    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "duplicate_order_id")


def test_a_refused_connection_proves_that_nothing_was_sent(simulator):
    simulator.run(lambda c: c.last_price(SYMBOL))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        simulator.url, here = f"http://127.0.0.1:{unused.getsockname()[1]}", simulator.url

        outcome = simulator.submit(make_order())
        simulator.url = here

    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "venue_unavailable")
    assert outcome.evidence["wire_started"] is False


@pytest.mark.parametrize("case", ["the connection closes", "a bad gateway", "a redirect"])
def test_a_cancellation_without_a_clear_answer_is_unknown(simulator, case):
    kind, fields = AFTER_ACCEPTING[case]
    order = make_order(side=Side.SELL, order_type=OrderType.LIMIT, price=simulator.price("1.2"))
    simulator.submit(order)
    simulator.misbehave(ORDER, kind, method="DELETE", executes=True, **fields)

    outcome = simulator.cancel(order)

    assert outcome.kind is OutcomeKind.UNKNOWN
    assert simulator.find(order).status is OrderStatus.CANCELED


class TestQuestions:
    """A question that is not answered must never look like an answer."""

    @pytest.mark.parametrize(
        ("path", "ask"),
        [
            ("/api/v3/openOrders", lambda c: c.open_orders(SYMBOL)),
            ("/api/v3/order", lambda c: c.find_order(symbol=SYMBOL, client_order_id="x")),
            ("/api/v3/account", lambda c: c.balances()),
            ("/api/v3/ticker/24hr", lambda c: c.last_price(SYMBOL)),
            ("/sapi/v1/account/apiRestrictions", lambda c: c.key_permissions()),
        ],
    )
    @pytest.mark.parametrize(
        "fields",
        [
            {"body": HTML},
            {"body": ""},
            {"status": 307, "body": ""},
            {"status": 524, "body": ""},
            {"status": 503, "body": HTML},
        ],
    )
    def test_noise_is_an_error_and_not_an_empty_answer(self, simulator, path, ask, fields):
        simulator.misbehave(path, "ANSWER", **fields)

        with pytest.raises(VenueError) as caught:
            simulator.run(ask)

        assert caught.value.__cause__ is None

    @pytest.mark.parametrize(
        ("path", "ask"),
        [
            ("/api/v3/openOrders", lambda c: c.open_orders(SYMBOL)),
            ("/api/v3/myTrades", lambda c: c.fills_since(SYMBOL, since=LONG_AGO)),
        ],
    )
    def test_an_object_is_no_empty_list(self, simulator, path, ask):
        simulator.misbehave(path, "ANSWER", body="{}", content_type="application/json")

        with pytest.raises(VenueError):
            simulator.run(ask)

    def test_no_answer_in_time_is_a_timeout(self, simulator):
        simulator.run(lambda c: c.last_price(SYMBOL))
        simulator.timeout_s = 0.3
        simulator.misbehave("/api/v3/account", "DELAY", delay_ms=2_000)

        with pytest.raises(VenueTimeoutError):
            simulator.run(lambda c: c.balances())

    def test_a_wrong_secret_is_a_rejected_credential(self, simulator):
        simulator.secret = "another-secret-than-the-accounts"

        with pytest.raises(CredentialRejectedError):
            simulator.run(lambda c: c.balances())

    def test_too_many_requests_are_a_reason_to_wait(self, simulator):
        simulator.misbehave("/api/v3/account", "ANSWER", **{**refusal(-1003), "status": 429})

        with pytest.raises(VenueUnavailableError, match="fewer requests"):
            simulator.run(lambda c: c.balances())

    def test_an_unlisted_market_is_refused_here(self, simulator):
        with pytest.raises(VenueRejectedError, match="does not list"):
            simulator.run(lambda c: c.last_price("XXX/USDT"))

    def test_an_answer_that_never_ends_is_not_read_to_the_end(self, simulator):
        simulator.misbehave("/api/v3/account", "ANSWER", body="x" * 6_000_000)

        with pytest.raises(VenueError):
            simulator.run(lambda c: c.balances())

    def test_a_venue_that_the_library_does_not_know_is_not_spoken_to(self):
        with pytest.raises(VenueUnavailableError, match="cannot speak"):
            CcxtVenueClient(ccxt_id="withdraw")


class TestTheMemoryOfAProcess:
    def test_markets_are_read_once_for_all_clients(self, simulator):
        ccxt.forget(packs.pack_of("binance"), simulator.url)
        simulator.run(lambda c: c.last_price(SYMBOL))
        simulator.misbehave("/api/v3/exchangeInfo", "CLOSE")

        assert simulator.run(lambda c: c.last_price(SYMBOL)) == 50_000

    def test_no_order_leaves_before_the_markets_are_known(self, simulator):
        ccxt.forget(packs.pack_of("binance"), simulator.url)
        simulator.misbehave("/api/v3/exchangeInfo", "ANSWER", body=HTML)

        outcome = simulator.submit(make_order())

        assert outcome.kind is OutcomeKind.NOT_SENT

    def test_an_empty_list_of_markets_is_not_remembered(self, simulator):
        ccxt.forget(packs.pack_of("binance"), simulator.url)
        simulator.misbehave(
            "/api/v3/exchangeInfo",
            "ANSWER",
            body='{"symbols": []}',
            content_type="application/json",
        )

        assert simulator.submit(make_order()).kind is OutcomeKind.NOT_SENT
        assert simulator.submit(make_order()).kind is OutcomeKind.DONE

    def test_rules_that_an_order_does_not_fit_are_read_again(self, simulator, monkeypatch):
        monkeypatch.setattr(ccxt_market, "_RULES_HOLD_S", 0.0)
        order = make_order(quantity=Decimal("0.01001"))
        simulator.misbehave(ORDER, "LOT_CHANGED", method="POST", symbol="BTCUSDT")
        assert simulator.submit(order).code == "off_lot_step"
        # What is read now is the coarser grid.
        assert simulator.submit(order).code == "off_step"
        status, _ = simulator.raw.admin("DELETE", "/simulator/faults")
        assert status == 200

        assert simulator.submit(order).kind is OutcomeKind.DONE

    def test_a_refusal_for_the_clock_measures_it_anew(self, simulator):
        simulator.run(lambda c: c.last_price(SYMBOL))
        simulator.misbehave(ORDER, "ANSWER", method="POST", **refusal(-1021))

        async def twice(client):
            first = await client.submit(make_order(), timeout_s=5)
            return first, await client.submit(make_order(), timeout_s=5)

        first, second = simulator.run(twice)

        assert (first.kind, second.kind) == (OutcomeKind.REJECTED, OutcomeKind.DONE)


def test_many_orders_of_one_client_run_side_by_side(simulator):
    orders = [make_order() for _ in range(5)]

    async def all_at_once(client):
        return await asyncio.gather(*(client.submit(order, timeout_s=5) for order in orders))

    outcomes = simulator.run(all_at_once)

    assert [outcome.report.client_order_id for outcome in outcomes] == [
        order.client_order_id for order in orders
    ]
