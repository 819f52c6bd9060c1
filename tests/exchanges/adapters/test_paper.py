"""Paper answers the same to the same order, and knows nothing afterwards."""

import asyncio
from dataclasses import replace
from decimal import Decimal

from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.paper import PaperVenueClient
from exchanges.adapters.protocol import OutcomeKind
from market.enums import OrderStatus
from market.errors import VenueUnavailableError
from tests.exchanges.adapters.contract import SYMBOL, make_order


def make_client():
    venue = InMemoryVenue()
    return venue, PaperVenueClient(rules=venue.book.instruments, market_data=venue.client())


def test_the_same_order_gets_the_same_venue_order_id():
    _, client = make_client()
    order = make_order()

    first, second = (asyncio.run(client.submit(order, timeout_s=1)) for _ in range(2))

    assert first.report.venue_order_id == second.report.venue_order_id
    assert first.report.status is OrderStatus.ACCEPTED
    assert first.fills == ()


def test_a_market_order_without_a_price_to_value_it_is_not_sent():
    venue, client = make_client()
    venue.next_question(raises=VenueUnavailableError())

    outcome = asyncio.run(client.submit(make_order(), timeout_s=1))

    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "venue_unavailable")


def test_an_order_that_names_the_price_it_was_decided_at_asks_nobody():
    venue, client = make_client()
    venue.next_question(raises=VenueUnavailableError())
    order = replace(make_order(), decided_price=Decimal(40_000))

    outcome = asyncio.run(client.submit(order, timeout_s=1))

    assert outcome.kind is OutcomeKind.DONE


def test_nothing_is_kept_at_the_venue():
    _, client = make_client()
    order = make_order()
    asyncio.run(client.submit(order, timeout_s=1))

    async def ask():
        return (
            await client.find_order(symbol=SYMBOL, client_order_id=order.client_order_id),
            await client.open_orders(SYMBOL),
            await client.balances(),
        )

    assert asyncio.run(ask()) == (None, (), ())
