"""Stops, wherever a venue keeps them: sent, found by our id, listed, canceled, and told of after they were touched."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from exchanges.adapters.packs import offered_packs, pack_of
from exchanges.adapters.protocol import OutcomeKind
from market.enums import OrderStatus, OrderType, Side
from market.errors import VenueError
from tests.exchanges.adapters.loopback import Answer, LoopbackVenue
from tests.exchanges.adapters.told import Told

pytestmark = pytest.mark.enable_socket

#: Binance and Kraken keep stops among their orders; those of Binance USD-M have tests of their own.
VENUES = [pack.ccxt_id for pack in offered_packs() if "stops" in LoopbackVenue(pack.ccxt_id).case]
BY_LAST_PRICE = [code for code in VENUES if pack_of(code).stops_by_last_price]
HTML = "<html><body>Please wait</body></html>"
BOUGHT_BY_COST = [code for code in VENUES if pack_of(code).buys_by_cost]


@pytest.fixture(params=VENUES)
def told(request):
    return Told(request.param)


def make_stop(told, **fields):
    usual = {
        "side": Side.SELL,
        "order_type": OrderType.STOP_LOSS,
        "price": None,
        "trigger_price": Decimal(39_000),
    }
    return told.order(**(usual | fields))


def stop_id(told, stop):
    return str(told.case["stops"]["id"]).replace("$id", stop.client_order_id)


def serve(told, state):
    """Answer as if the stop were in *state*."""
    stops = told.case["stops"]
    told.use(stops[state])
    if state == "touched":
        for call, name in stops["first"].items():
            told.venue.next(call, told.venue.answer_named(call, name))


def create_of(told):
    return told.case.get("stop_create", told.case["create"])


def cancel(told, stop, venue_order_id):
    return told.ask(
        lambda c: c.cancel(
            symbol=stop.symbol,
            client_order_id=stop.client_order_id,
            venue_order_id=venue_order_id,
            timeout_s=5,
        )
    )


def test_every_venue_that_takes_keys_keeps_stops_that_are_tested():
    protecting = {pack.ccxt_id for pack in offered_packs() if pack.protects_positions}

    assert protecting == {*VENUES, "binance", "binanceusdm", "kraken"}


def test_a_stop_is_sent_once_with_our_id_and_known_by_the_venues(told):
    told.use({create_of(told): told.case.get("stop_answer", "ok")})
    stop = make_stop(told)

    outcome = told.submit(stop)

    assert outcome.kind is OutcomeKind.DONE, outcome
    assert outcome.report.venue_order_id == stop_id(told, stop)
    assert outcome.report.status is OrderStatus.ACCEPTED
    assert pack_of(told.code).order_id.fullmatch(outcome.report.venue_order_id)
    [request] = told.venue.sent(create_of(told))
    assert request.parameters[told.case["stops"]["id_field"]] == stop.client_order_id


def test_a_refused_stop_is_judged_by_its_code_and_noise_leaves_it_unknown(told):
    for name, (kind, code) in told.case["stops"]["refused"].items():
        told.use({create_of(told): name})
        outcome = told.submit(make_stop(told))
        assert outcome.kind == kind, (name, outcome)
        assert code is None or outcome.code == code, (name, outcome)

    sent = len(told.venue.sent(create_of(told)))
    told.venue.next(create_of(told), Answer(HTML))
    assert told.submit(make_stop(told)).kind is OutcomeKind.UNKNOWN
    assert len(told.venue.sent(create_of(told))) == sent + 1


def test_a_waiting_stop_is_found_and_listed_by_our_id(told):
    stop = make_stop(told)
    serve(told, "waiting")
    told.venue.client_id = stop.client_order_id

    report = told.find(stop.client_order_id)
    listed = told.ask(lambda c: c.open_orders(stop.symbol))

    assert (report.venue_order_id, report.status) == (stop_id(told, stop), OrderStatus.ACCEPTED)
    assert (report.client_order_id, report.side) == (stop.client_order_id, Side.SELL)
    assert report.quantity == stop.quantity
    mine = [each for each in listed if each.venue_order_id == report.venue_order_id]
    assert [each.client_order_id for each in mine] == [stop.client_order_id]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_stop_is_canceled_whether_or_not_its_kind_is_known(told, is_known):
    stops, stop = told.case["stops"], make_stop(told)
    told.venue.client_id = stop.client_order_id
    for call, name in stops.get("cancel_first", {}).items():
        told.venue.next(call, told.venue.answer_named(call, name))
    told.use(stops["gone"])
    serve(told, "canceled")

    outcome = cancel(told, stop, stop_id(told, stop) if is_known else "")

    assert outcome.kind is OutcomeKind.DONE, outcome
    assert outcome.report.status is OrderStatus.CANCELED
    assert outcome.report.venue_order_id == stop_id(told, stop)
    assert len(told.venue.sent(stops["cancel"])) == 1 + len(stops.get("cancel_first", {}))


def test_canceling_a_stop_that_is_over_changes_nothing(told):
    stop = make_stop(told)
    told.venue.client_id = stop.client_order_id
    told.use({told.case["stops"]["cancel"]: "gone"})

    outcome = cancel(told, stop, stop_id(told, stop))

    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "order_not_open")


def test_what_a_touched_stop_sold_is_told_in_its_name(told):
    stop = make_stop(told)
    serve(told, "touched")
    told.venue.client_id = stop.client_order_id

    report = told.find(stop.client_order_id)
    since = datetime.now(UTC) - timedelta(minutes=5)
    [fill] = told.ask(lambda c: c.fills_since(stop.symbol, since=since))

    assert (report.venue_order_id, report.status) == (stop_id(told, stop), OrderStatus.FILLED)
    assert report.client_order_id == stop.client_order_id
    assert (report.filled_quantity, report.average_price) == (stop.quantity, 39_000)
    assert (fill.venue_order_id, fill.side) == (report.venue_order_id, Side.SELL)
    assert (fill.quantity, fill.price) == (stop.quantity, 39_000)


@pytest.mark.parametrize("told", ["htx"], indirect=True)
@pytest.mark.parametrize("said", ["absent", "nothing"])
def test_a_stop_that_is_not_known_by_its_id_is_absent_only_if_the_lists_say_so(told, said):
    told.use({**told.case["find"]["absent"], "GET /v2/algo-orders/specific": said})
    stop = make_stop(told)
    told.venue.client_id = stop.client_order_id

    assert told.find(stop.client_order_id) is None
    told.use({"GET /v2/algo-orders/history": "touched"})
    assert told.find(stop.client_order_id).status is OrderStatus.FILLED


def test_a_touched_stop_whose_order_is_not_told_of_is_neither_absent_nor_ended(told):
    if told.case["stops"]["untold"] is None:
        assert not stop_id(told, make_stop(told)).startswith("stop-")
        return
    stop = make_stop(told)
    serve(told, "untold")
    told.venue.client_id = stop.client_order_id

    with pytest.raises(VenueError) as caught:
        told.find(stop.client_order_id)

    assert caught.value.code != "order_absent"


@pytest.mark.parametrize("told", BY_LAST_PRICE, indirect=True)
@pytest.mark.parametrize(("side", "trigger"), [(Side.SELL, 40_000), (Side.BUY, 40_000)])
def test_a_stop_whose_price_was_passed_is_not_left_waiting_for_the_way_back(told, side, trigger):
    outcome = told.submit(make_stop(told, side=side, trigger_price=Decimal(trigger)))

    refused = (OutcomeKind.REJECTED, "would_trigger_at_once")
    if side is Side.BUY and told.code in BOUGHT_BY_COST:
        refused = (OutcomeKind.NOT_SENT, "unsupported_order_type")
    assert (outcome.kind, outcome.code) == refused
    assert told.venue.sent(create_of(told)) == []
