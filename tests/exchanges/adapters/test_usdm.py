"""Binance USD-M: positions, leverage, margin, marks and funding, and stops that live behind another door."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from exchanges.adapters.protocol import OutcomeKind
from market.enums import MarginMode, OrderStatus, OrderType, Side
from market.errors import UnsupportedByVenueError, VenueError, VenueRejectedError
from tests.exchanges.adapters.told import Told

pytestmark = pytest.mark.enable_socket

SWAP = "BTC/USDT:USDT"
STOP_ID = "stop-2146760"


@pytest.fixture
def told(request):
    return Told(getattr(request, "param", "binanceusdm"))


def make_stop(told):
    return told.order(
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        price=None,
        trigger_price=Decimal(39_000),
        reduce_only=True,
    )


def test_a_short_position_with_its_leverage_and_margin(told):
    [position] = told.ask(lambda c: c.positions())

    assert (position.symbol, position.quantity) == (SWAP, Decimal("-0.01"))
    assert (position.average_price, position.mark_price) == (40_000, 39_000)
    assert (position.unrealized_pnl, position.leverage) == (10, 10)
    assert position.liquidation_price == Decimal("43800.1")
    assert position.margin_mode is MarginMode.ISOLATED


def test_settings_are_sent_and_what_is_set_already_is_no_error(told):
    told.ask(lambda c: c.set_leverage(SWAP, 21))
    told.ask(lambda c: c.set_margin_mode(SWAP, MarginMode.CROSS))

    [leverage] = told.venue.sent("POST /fapi/v1/leverage")
    [margin] = told.venue.sent("POST /fapi/v1/marginType")
    assert leverage.parameters["leverage"] == "21"
    assert margin.parameters["marginType"] == "CROSSED"

    told.use({"POST /fapi/v1/marginType": "already"})
    told.ask(lambda c: c.set_margin_mode(SWAP, MarginMode.CROSS))
    for call in ("POST /fapi/v1/marginType", "POST /fapi/v1/leverage"):
        told.use({call: "refused"})
    with pytest.raises(VenueRejectedError):
        told.ask(lambda c: c.set_margin_mode(SWAP, MarginMode.CROSS))
    with pytest.raises(VenueRejectedError):
        told.ask(lambda c: c.set_leverage(SWAP, 120))


def test_marks_and_fundings(told):
    [mark] = told.ask(lambda c: c.marks([SWAP]))
    fundings = told.ask(lambda c: c.funding_since(SWAP, since_ms=1_570_000_000_000, limit=10))

    assert (mark.symbol, mark.mark_price) == (SWAP, Decimal("40001.5"))
    assert (mark.index_price, mark.funding_rate) == (Decimal("40002.25"), Decimal("0.00038246"))
    assert mark.next_funding_at == datetime(2026, 12, 25, 8, tzinfo=UTC)
    assert [each.rate for each in fundings] == [Decimal("-0.0375"), Decimal("0.0001")]


@pytest.mark.parametrize("told", ["binance"], indirect=True)
def test_a_spot_market_has_none_of_this(told):
    assert list(told.ask(lambda c: c.positions())) == []
    for question in (
        lambda c: c.set_leverage("BTC/USDT", 2),
        lambda c: c.marks(None),
        lambda c: c.funding_since("BTC/USDT", since_ms=0, limit=1),
    ):
        with pytest.raises(UnsupportedByVenueError):
            told.ask(question)


def test_an_order_says_whether_it_may_only_reduce(told):
    told.submit(told.order(reduce_only=True))

    [request] = told.venue.sent("POST /fapi/v1/order")
    assert request.parameters["reduceOnly"] == "true"


class TestStops:
    def have_sent_under_its_own_id(self, told):
        sent = told.venue.book["GET /fapi/v1/order"]["sent"]
        sent |= {"clientOrderId": "$id", "reduceOnly": True}
        return sent

    def test_a_stop_is_known_by_an_id_that_no_order_has(self, told):
        stop = make_stop(told)

        outcome = told.submit(stop)

        assert outcome.kind is OutcomeKind.DONE, outcome
        assert outcome.report.venue_order_id == STOP_ID
        assert outcome.report.status is OrderStatus.ACCEPTED
        [request] = told.venue.sent("POST /fapi/v1/algoOrder")
        assert request.parameters["clientAlgoId"] == stop.client_order_id
        assert request.parameters["reduceOnly"] == "true"

    def test_a_stop_that_would_trigger_at_once_is_refused(self, told):
        told.use({"POST /fapi/v1/algoOrder": "refused"})

        outcome = told.submit(make_stop(told))

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "would_trigger_at_once")

    def test_a_resting_stop_is_found_and_listed_and_canceled(self, told):
        told.use(
            {
                "GET /fapi/v1/order": "absent",
                "GET /fapi/v1/algoOrder": "open",
                "GET /fapi/v1/openAlgoOrders": "one",
                "DELETE /fapi/v1/order": "gone",
            }
        )
        stop = make_stop(told)

        report = told.find(stop.client_order_id)
        listed = told.ask(lambda c: c.open_orders(SWAP))

        assert (report.venue_order_id, report.status) == (STOP_ID, OrderStatus.ACCEPTED)
        assert STOP_ID in {each.venue_order_id for each in listed}

        told.use({"GET /fapi/v1/algoOrder": "canceled"})
        outcome = told.ask(
            lambda c: c.cancel(
                symbol=SWAP,
                client_order_id=stop.client_order_id,
                venue_order_id=STOP_ID,
                timeout_s=5,
            )
        )

        assert (outcome.kind, outcome.report.status) == (OutcomeKind.DONE, OrderStatus.CANCELED)
        assert told.venue.sent("DELETE /fapi/v1/order") == []

    def test_a_stop_whose_kind_is_not_known_is_canceled_by_our_id(self, told):
        told.use({"GET /fapi/v1/order": "absent", "GET /fapi/v1/algoOrder": "canceled"})
        told.use({"DELETE /fapi/v1/order": "gone"})
        stop = make_stop(told)

        outcome = told.ask(
            lambda c: c.cancel(
                symbol=SWAP, client_order_id=stop.client_order_id, venue_order_id="", timeout_s=5
            )
        )

        assert (outcome.kind, outcome.report.status) == (OutcomeKind.DONE, OrderStatus.CANCELED)

    def test_a_stop_whose_order_is_not_told_of_yet_is_not_absent(self, told):
        told.use({"GET /fapi/v1/order": "absent", "GET /fapi/v1/algoOrder": "touched"})

        with pytest.raises(VenueError):
            told.find(make_stop(told).client_order_id)

    def test_what_a_touched_stop_sent_is_told_in_its_name(self, told):
        told.use(
            {
                "GET /fapi/v1/algoOrder": "touched",
                "GET /fapi/v1/userTrades": "of_a_stop",
                "GET /fapi/v1/allAlgoOrders": "touched",
            }
        )
        told.venue.next(
            "GET /fapi/v1/order", told.venue.answer_named("GET /fapi/v1/order", "absent")
        )
        told.use({"GET /fapi/v1/order": "sent"})
        stop = make_stop(told)

        report = told.find(stop.client_order_id)
        since = datetime.now(UTC) - timedelta(minutes=5)
        [fill] = told.ask(lambda c: c.fills_since(SWAP, since=since))

        assert (report.venue_order_id, report.status) == (STOP_ID, OrderStatus.FILLED)
        assert report.client_order_id == stop.client_order_id
        assert (report.filled_quantity, report.average_price) == (Decimal("0.01"), 39_000)
        assert (fill.venue_order_id, fill.quantity) == (STOP_ID, Decimal("0.01"))

    def test_what_a_stop_sent_under_its_own_id_is_never_told_of_as_another_order(self, told):
        self.have_sent_under_its_own_id(told)
        told.use({"GET /fapi/v1/order": "sent", "GET /fapi/v1/algoOrder": "absent"})
        told.use({"GET /fapi/v1/allAlgoOrders": "none"})
        ours = make_stop(told).client_order_id

        with pytest.raises(VenueError):
            told.find(ours, is_stop=True)
        # An exit at the market looks just the same, and is told of.
        assert told.find(ours).venue_order_id == "777"

        told.use({"GET /fapi/v1/algoOrder": "touched", "GET /fapi/v1/userTrades": "of_a_stop"})

        async def look(client):
            report = await client.find_order(symbol=SWAP, client_order_id=ours, is_stop=True)
            since = datetime.now(UTC) - timedelta(minutes=5)
            return report, await client.fills_since(SWAP, since=since)

        # A stop that waited for long is in no list; asked for by its id, it is known.
        report, [fill] = told.ask(look)
        assert (report.venue_order_id, report.status) == (STOP_ID, OrderStatus.FILLED)
        assert fill.venue_order_id == STOP_ID

    def test_what_a_stop_has_just_sent_is_not_listed_as_another_order(self, told):
        sent = self.have_sent_under_its_own_id(told) | {"status": "PARTIALLY_FILLED"}
        told.venue.book["GET /fapi/v1/openOrders"]["ok"].append(sent)

        [listed] = told.ask(lambda c: c.open_orders(SWAP))

        assert listed.venue_order_id == told.case["order_id"]

    def test_canceling_a_stop_does_not_end_it_with_what_it_has_sent(self, told):
        self.have_sent_under_its_own_id(told)
        told.use({"GET /fapi/v1/order": "sent", "GET /fapi/v1/algoOrder": "absent"})
        told.use({"GET /fapi/v1/allAlgoOrders": "none"})

        outcome = told.ask(
            lambda c: c.cancel(
                symbol=SWAP,
                client_order_id=make_stop(told).client_order_id,
                venue_order_id=STOP_ID,
                timeout_s=5,
            )
        )

        assert (outcome.kind, outcome.report) == (OutcomeKind.DONE, None)
