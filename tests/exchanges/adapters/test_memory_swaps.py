"""The venue in memory keeps positions of swaps as a USD-M venue in one-way mode does."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from exchanges.adapters.memory import InMemoryVenue
from exchanges.adapters.protocol import FundingReport, InstrumentReport, OutcomeKind
from market.enums import InstrumentKind, MarginMode, Side
from market.timeframes import to_milliseconds
from tests.exchanges.adapters.contract import make_order

SWAP = "BTC/USDT:USDT"
RULES = InstrumentReport(
    symbol=SWAP,
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.1"),
    lot_step=Decimal("0.001"),
    minimum_quantity=Decimal("0.001"),
    minimum_notional=Decimal(5),
    is_active=True,
    kind=InstrumentKind.LINEAR_SWAP,
    settle="USDT",
)


@pytest.fixture
def venue():
    return InMemoryVenue(instruments=[RULES], deposits={"USDT": Decimal(1_000)})


def submit(venue, **fields):
    order = make_order(symbol=SWAP, **fields)
    return asyncio.run(venue.client().submit(order, timeout_s=1))


def test_a_sale_opens_a_short_that_is_margined_and_settled(venue):
    asyncio.run(venue.client().set_leverage(SWAP, 10))
    asyncio.run(venue.client().set_margin_mode(SWAP, MarginMode.ISOLATED))
    assert submit(venue, side=Side.SELL).kind is OutcomeKind.DONE
    venue.set_price(SWAP, Decimal(39_000))

    [position] = asyncio.run(venue.client().positions())

    assert (position.quantity, position.average_price) == (Decimal("-0.01"), Decimal(40_000))
    assert (position.unrealized_pnl, position.leverage) == (Decimal(10), Decimal(10))
    assert position.margin_mode is MarginMode.ISOLATED

    assert submit(venue, side=Side.BUY, reduce_only=True).kind is OutcomeKind.DONE
    assert asyncio.run(venue.client().positions()) == []
    [usdt] = asyncio.run(venue.client().balances())
    assert (usdt.free, usdt.used) == (Decimal(1_010) - Decimal("0.40") - Decimal("0.39"), 0)


def test_an_order_that_may_only_reduce_opens_nothing(venue):
    outcome = submit(venue, reduce_only=True)

    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "reduce_only_refused")


def test_an_order_needs_margin_and_not_its_worth(venue):
    assert submit(venue, quantity=Decimal("0.4")).kind is OutcomeKind.DONE
    assert submit(venue, quantity=Decimal("0.4")).kind is OutcomeKind.DONE

    outcome = submit(venue, quantity=Decimal(1))

    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "insufficient_balance")


def test_fundings_since_an_instant_come_oldest_first(venue):
    hours = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (16, 0, 8)]
    venue.book.swaps.fundings += [FundingReport(SWAP, Decimal("0.0001"), at) for at in hours]

    found = asyncio.run(
        venue.client().funding_since(SWAP, since_ms=to_milliseconds(hours[2]), limit=9)
    )

    assert [each.funded_at.hour for each in found] == [8, 16]
