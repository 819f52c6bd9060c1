"""Every pack, through the real class of ccxt, against the venue's documented answers over loopback HTTP."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import pytest

from exchanges.adapters import ccxt
from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.packs import offered_packs, pack_of
from exchanges.adapters.protocol import OutcomeKind
from market.enums import Liquidity, OrderStatus, OrderType, Side
from market.errors import CredentialRejectedError, UnsupportedByVenueError, VenueError
from market.timeframes import Timeframe
from tests.exchanges.adapters import loopback
from tests.exchanges.adapters.contract import make_order
from tests.exchanges.adapters.loopback import Answer, LoopbackVenue
from tests.exchanges.adapters.told import CREDENTIAL, Told, runner

pytestmark = pytest.mark.enable_socket

T = TypeVar("T")

VENUES = [pack.ccxt_id for pack in offered_packs()]
HTML = "<html><body>Please wait</body></html>"
NOISE = (
    Answer(HTML),
    Answer(""),
    Answer({}),
    Answer([]),
    Answer('{"orderId": 1'),
    Answer(HTML, status=502),
    Answer(HTML, status=403),
    Answer("", status=524),
    Answer("", status=307, headers={"Location": "/"}),
    loopback.close,
    loopback.reset,
)
NEVER = "0123456789abcdef0123456789abcdef"


@pytest.fixture(params=VENUES)
def told(request):
    return Told(request.param)


def assert_sent(told, expected):
    """The one request for a new order carried these parameters; amounts may be written in any way."""
    [request] = told.venue.sent(told.case["create"])
    for name, value in expected.items():
        sent = request.parameters.get(name)
        same = str(sent) == str(value)
        assert same or Decimal(str(sent)) == Decimal(str(value)), (name, request.parameters)
    return request


class TestMarketData:
    def test_the_rules_of_a_market(self, told):
        reports = told.ask(lambda c: c.instruments())

        [rules] = [each for each in reports if each.symbol == told.case["symbol"]]
        for name, value in told.case["rules"].items():
            assert getattr(rules, name) == Decimal(value), name
        assert rules.kind is pack_of(told.code).kind
        assert rules.is_active
        assert len(told.venue.requests) <= 3

    def test_prices_and_bars(self, told):
        async def question(client):
            symbol = told.case["symbol"]
            return (
                await client.last_price(symbol),
                await client.candles(
                    symbol, Timeframe.M1, since_ms=told.case["candle"][0], limit=1
                ),
                await client.server_time(),
            )

        last, bars, at = told.ask(question)

        assert last == Decimal(told.case["last"])
        assert list(bars[0]) == told.case["candle"]
        assert abs(at - datetime.now(UTC)) < timedelta(minutes=1)


class TestAVenueWithoutAPack:
    """Binance US speaks as Binance does, and the platform sends it no orders."""

    def test_its_public_data_are_read_and_nothing_else_is_done(self):
        book, code = LoopbackVenue("binance"), "binanceus"

        async def talk():
            async with book as venue:
                client = CcxtVenueClient(ccxt_id=code, api_url=venue.url, timeout_s=5)
                try:
                    return (
                        await client.instruments(),
                        await client.last_price("BTC/USDT"),
                        await client.candles("BTC/USDT", Timeframe.M1, since_ms=0, limit=1),
                        await client.submit(make_order(), timeout_s=5),
                    )
                finally:
                    await client.close()
                    ccxt.forget(pack_of(code), venue.url)

        [rules], last, [bar], outcome = runner.run(talk())

        assert (rules.symbol, rules.tick_size, last) == ("BTC/USDT", Decimal("0.01"), 40_000)
        assert bar[1] == 40_000.0
        assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "unsupported_by_venue")
        assert {request.method for request in book.requests} == {"GET"}

    def test_it_takes_no_key(self):
        with pytest.raises(UnsupportedByVenueError):
            CcxtVenueClient(ccxt_id="binanceus", credential=CREDENTIAL)


class TestNewOrders:
    def test_a_limit_order_carries_our_id_and_is_known_by_the_venues(self, told):
        order = told.order()

        outcome = told.submit(order)

        assert outcome.kind is OutcomeKind.DONE, outcome
        assert outcome.report.venue_order_id == told.case["order_id"]
        assert outcome.report.client_order_id == order.client_order_id
        assert (outcome.report.status, outcome.report.quantity) == (
            OrderStatus.ACCEPTED,
            order.quantity,
        )
        request = assert_sent(told, told.case["limit"])
        sent_id = pack_of(told.code).dialect.id_to_venue(order.client_order_id)
        assert request.parameters[told.case["id_field"]] == sent_id

    @pytest.mark.parametrize("side", list(Side))
    def test_a_market_order_names_a_quantity_of_the_base(self, told, side):
        order = told.order(order_type=OrderType.MARKET, price=None, side=side)
        if side is Side.SELL and "sold" in told.case:
            told.use({told.case["create"]: told.case["sold"]})
        told.venue.book[told.case["create"]]["ok"] = json.loads(
            json.dumps(told.venue.book[told.case["create"]]["ok"])
            .replace('"BUY"', f'"{side}"')
            .replace('"buy"', f'"{side.lower()}"')
            .replace('"Buy"', f'"{side.capitalize()}"')
        )

        outcome = told.submit(order)

        assert outcome.kind is OutcomeKind.DONE, outcome
        assert_sent(told, told.case["market" if side is Side.BUY else "market_sell"])

    def test_an_order_that_may_only_make_says_so(self, told):
        outcome = told.submit(told.order(post_only=True))

        assert outcome.evidence.get("wire_started", True), outcome
        [request] = told.venue.sent(told.case["create"])
        assert told.case["post_only"].items() <= request.parameters.items()

    def test_a_market_order_cannot_be_kept_from_taking(self, told):
        order = told.order(order_type=OrderType.MARKET, price=None, post_only=True)

        outcome = told.submit(order)

        assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "unsupported_order_type")
        assert told.venue.sent(told.case["create"]) == []

    def test_a_stop_goes_where_the_venue_keeps_stops(self, told):
        order = told.order(
            side=Side.SELL,
            order_type=OrderType.STOP_LOSS,
            price=None,
            trigger_price=Decimal(39_000),
        )
        if OrderType.STOP_LOSS not in pack_of(told.code).order_types:
            outcome = told.submit(order)
            assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "unsupported_order_type")
            assert not told.venue.sent(told.case["create"])
            return
        stops = told.case.get("stop_create", told.case["create"])
        told.use({stops: told.case.get("stop_answer", "ok")})

        told.submit(order)

        [request] = told.venue.sent(stops)
        assert told.case["stop"].items() <= request.parameters.items()

    def test_a_structured_no_is_judged_by_its_code(self, told):
        for name, (kind, code) in told.case["refusals"].items():
            told.use({told.case["create"]: name})
            outcome = told.submit(told.order())
            assert outcome.kind == kind, (name, outcome)
            assert code is None or outcome.code == code, (name, outcome)

    def test_noise_leaves_an_order_unknown_and_is_sent_once(self, told):
        for number, reply in enumerate(NOISE, start=1):
            told.venue.next(told.case["create"], reply)

            outcome = told.submit(told.order())

            assert outcome.kind is OutcomeKind.UNKNOWN, reply
            assert outcome.evidence["wire_started"] is True
            assert len(told.venue.sent(told.case["create"])) == number

    def test_a_no_with_a_servers_status_is_nobodys_word(self, told):
        book = told.venue.book[told.case["create"]]
        refused = book[next(iter(told.case["refusals"]))]
        body = refused.get("$body", refused)
        told.venue.next(told.case["create"], Answer(body, status=503))

        assert told.submit(told.order()).kind is OutcomeKind.UNKNOWN

    @pytest.mark.parametrize("wrong", ["another", HTML])
    def test_an_answer_about_another_order_proves_nothing(self, told, wrong):
        book = told.venue.book[told.case["create"]]
        text = json.dumps(book["ok"])
        if wrong == "another" and "$id" in text:
            text = text.replace("$id", pack_of(told.code).dialect.id_to_venue(NEVER))
        else:
            text = text.replace(told.case["order_id"].removeprefix("stop-"), json.dumps(HTML)[1:-1])
            text = text.replace(f": {HTML}", f': "{HTML}"')
        told.venue.next(told.case["create"], Answer(json.loads(text)))

        assert told.submit(told.order()).kind is OutcomeKind.UNKNOWN


class TestCancellations:
    def test_a_canceled_order_is_reported_as_it_ended(self, told):
        told.use(told.case["canceled"])
        order = told.order()

        outcome = told.cancel(order.client_order_id)

        assert outcome.kind is OutcomeKind.DONE, outcome
        assert outcome.report.status is OrderStatus.CANCELED
        assert outcome.report.client_order_id == order.client_order_id

    def test_canceling_what_is_not_open_changes_nothing(self, told):
        told.use(told.case.get("gone", {told.case["cancel"]: "gone"}))

        outcome = told.cancel(told.order().client_order_id)

        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "order_not_open")

    def test_a_cancellation_without_an_answer_is_unknown(self, told):
        told.venue.next(told.case["cancel"], Answer(HTML, status=502))

        assert told.cancel(told.order().client_order_id).kind is OutcomeKind.UNKNOWN


class TestQuestions:
    @pytest.mark.parametrize("state", ["ACCEPTED", "FILLED"])
    def test_an_order_is_found_by_our_id(self, told, state):
        told.use(told.case["find"][state])
        order = told.order()

        report = told.find(order.client_order_id)

        assert (report.client_order_id, report.status) == (order.client_order_id, state)
        assert report.venue_order_id == told.case["order_id"]
        assert (report.side, report.quantity) == (Side.BUY, order.quantity)
        if state == "FILLED":
            assert (report.filled_quantity, report.average_price) == (order.quantity, 40_000)

    def test_an_order_that_the_venue_does_not_know_is_none(self, told):
        told.use(told.case["find"]["absent"])

        assert told.find(NEVER) is None

    def test_noise_is_never_taken_for_an_order_that_is_not_there(self, told):
        for call in told.case["find"]["absent"]:
            for reply in (Answer(HTML), Answer({}), Answer(HTML, status=503), Answer(HTML, 404)):
                told.use(told.case["find"]["absent"])
                told.venue.next(call, reply)
                with pytest.raises(VenueError):
                    told.find(NEVER)

    def test_open_orders_and_executions(self, told):
        symbol = told.case["symbol"]
        told.use(told.case["find"]["ACCEPTED"])
        order = told.order()
        told.venue.client_id = pack_of(told.code).dialect.id_to_venue(order.client_order_id)
        since = datetime.now(UTC) - timedelta(minutes=5)

        async def question(client):
            return await client.open_orders(symbol), await client.fills_since(symbol, since=since)

        [resting], [fill] = told.ask(question)

        assert resting.venue_order_id == told.case["order_id"]
        assert resting.client_order_id == order.client_order_id
        assert resting.status is OrderStatus.ACCEPTED
        said = told.case["fill"]
        assert (fill.venue_trade_id, fill.venue_order_id) == (
            said["venue_trade_id"],
            said["venue_order_id"],
        )
        assert (fill.quantity, fill.price, fill.fee) == tuple(
            Decimal(said[name]) for name in ("quantity", "price", "fee")
        )
        assert (fill.fee_currency, fill.liquidity) == (
            said["fee_currency"],
            Liquidity[said["liquidity"]],
        )

    def test_noise_is_no_empty_list(self, told):
        symbol, since = told.case["symbol"], datetime.now(UTC) - timedelta(minutes=5)
        for call in told.case["lists"]:
            for reply in (Answer(HTML), Answer({}), Answer("")):
                told.venue.next(call, reply)

                async def question(client):
                    await client.open_orders(symbol)
                    await client.fills_since(symbol, since=since)

                with pytest.raises(VenueError):
                    told.ask(question)

    def test_balances(self, told):
        balances = told.ask(lambda c: c.balances())

        held = {each.currency: [each.free, each.used] for each in balances}
        assert held == {
            currency: [Decimal(text) for text in amounts]
            for currency, amounts in told.case["balances"].items()
        }

    def test_a_key_that_is_not_accepted(self, told):
        told.use({told.case["balance_call"]: "key"})

        with pytest.raises(CredentialRejectedError):
            told.ask(lambda c: c.balances())

    def test_what_a_key_may_do(self, told):
        for answers, expected in told.case["permissions"]:
            told.use(answers)
            permissions = told.ask(lambda c: c.key_permissions())
            assert [
                permissions.can_read,
                permissions.can_trade,
                permissions.can_withdraw,
            ] == expected

    def test_the_dead_mans_switch(self, told):
        arm = lambda c: c.arm_dead_man(timeout_s=60)  # noqa: E731
        if not pack_of(told.code).has_dead_man:
            with pytest.raises(UnsupportedByVenueError):
                told.ask(arm)
            return

        told.ask(arm)

        [request] = told.venue.sent(told.case["dead_man"]["call"])
        assert told.case["dead_man"]["parameters"].items() <= request.parameters.items()
