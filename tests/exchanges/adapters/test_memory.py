"""The venue in memory misbehaves exactly as programmed."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.protocol import OutcomeKind
from market.enums import OrderStatus, OrderType, Side
from market.errors import VenueTimeoutError
from tests.exchanges.adapters.contract import SYMBOL, make_order

LONG_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def venue():
    return InMemoryVenue(deposits={"USDT": Decimal(100_000), "BTC": Decimal(1)})


def submit(venue, order):
    return asyncio.run(venue.client().submit(order, timeout_s=1))


def cancel(venue, order):
    return asyncio.run(
        venue.client().cancel(
            symbol=order.symbol,
            client_order_id=order.client_order_id,
            venue_order_id="",
            timeout_s=1,
        )
    )


def find(venue, order):
    return asyncio.run(
        venue.client().find_order(symbol=SYMBOL, client_order_id=order.client_order_id)
    )


def test_an_order_that_times_out_may_have_been_accepted(venue):
    venue.next_submit(times_out=True, but_is_accepted=True)
    order = make_order()

    outcome = submit(venue, order)

    assert outcome.kind is OutcomeKind.UNKNOWN
    assert find(venue, order).status is OrderStatus.FILLED


def test_an_order_that_times_out_may_be_lost(venue):
    venue.next_submit(times_out=True)
    order = make_order()

    outcome = submit(venue, order)

    assert outcome.kind is OutcomeKind.UNKNOWN
    assert find(venue, order) is None
    assert venue.orders == []


def test_a_hidden_order_appears_after_so_many_look_ups(venue):
    venue.next_submit(times_out=True, but_is_accepted=True, hidden_for=2)
    order = make_order()
    submit(venue, order)

    assert [find(venue, order) is None for _ in range(3)] == [True, True, False]


def test_an_order_may_be_refused_or_never_leave(venue):
    venue.next_submit(rejects_with="market_closed")
    venue.next_submit(is_not_sent=True)

    outcomes = [submit(venue, make_order()) for _ in range(2)]

    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.REJECTED, OutcomeKind.NOT_SENT]
    assert venue.orders == []


def test_an_order_may_fill_late(venue):
    venue.next_submit(fills_late=True)
    order = make_order()

    assert submit(venue, order).report.status is OrderStatus.ACCEPTED
    venue.settle()

    assert find(venue, order).status is OrderStatus.FILLED


def test_an_order_may_fill_in_parts_that_add_up(venue):
    venue.next_submit(parts=3)

    outcome = submit(venue, make_order())

    assert len(outcome.fills) == 3
    assert sum(fill.quantity for fill in outcome.fills) == Decimal("0.01")
    assert outcome.report.status is OrderStatus.FILLED


def test_a_resting_order_may_be_filled_partly_and_then_canceled(venue):
    order = make_order(order_type=OrderType.LIMIT, price=Decimal(30_000))
    submit(venue, order)

    venue.fill(order.client_order_id, quantity=Decimal("0.004"), price=Decimal(30_000))
    assert find(venue, order).status is OrderStatus.PARTIALLY_FILLED
    report = cancel(venue, order).report

    assert (report.status, report.filled_quantity) == (OrderStatus.CANCELED, Decimal("0.004"))
    usdt = next(b for b in venue.book.balances("account") if b.currency == "USDT")
    assert (usdt.free, usdt.used) == (Decimal(100_000) - Decimal(120), 0)


def test_executions_may_be_reported_twice(venue):
    venue.reports_fills_twice = True
    submit(venue, make_order())

    fills = asyncio.run(venue.client().fills_since(SYMBOL, since=LONG_AGO))

    assert len(fills) == 2
    assert fills[0] == fills[1]


def test_a_cancellation_may_time_out_and_still_count(venue):
    order = make_order(order_type=OrderType.LIMIT, price=Decimal(30_000))
    submit(venue, order)
    venue.next_cancel(times_out=True, but_is_canceled=True)

    assert cancel(venue, order).kind is OutcomeKind.UNKNOWN
    assert find(venue, order).status is OrderStatus.CANCELED


def test_a_stop_wakes_and_fills_when_the_price_touches_it(venue):
    order = make_order(
        side=Side.SELL, order_type=OrderType.STOP_LOSS, trigger_price=Decimal(39_000)
    )
    submit(venue, order)

    venue.set_price(SYMBOL, Decimal(39_500))
    assert find(venue, order).status is OrderStatus.ACCEPTED
    venue.set_price(SYMBOL, Decimal(38_990))

    report = find(venue, order)
    assert (report.status, report.average_price) == (OrderStatus.FILLED, Decimal(38_990))


def test_a_question_may_fail_once(venue):
    venue.next_question(raises=VenueTimeoutError())

    with pytest.raises(VenueTimeoutError):
        find(venue, make_order())
    assert find(venue, make_order()) is None


def test_accounts_do_not_see_one_another(venue):
    order = make_order()
    submit(venue, order)

    other = venue.client("another")

    assert (
        asyncio.run(other.find_order(symbol=SYMBOL, client_order_id=order.client_order_id)) is None
    )
    assert asyncio.run(other.fills_since(SYMBOL, since=LONG_AGO)) == []
