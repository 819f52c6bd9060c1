"""A fee in a third currency counts at what it was worth, or is shown beside the result."""

from decimal import Decimal

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from exchanges.adapters.protocol import FillReport
from market.enums import Liquidity, OrderActor, Side
from market.timeframes import Timeframe, to_milliseconds
from tests.factories import exchanges as market_factory
from trading.models import Fill
from trading.selectors import results
from trading.services import fills, orders

pytestmark = pytest.mark.django_db


@pytest.fixture
def pay(desk):
    """Book a purchase of 0.1 BTC at 40,000 whose fee of 0.01 BNB the venue took."""

    def book() -> Fill:
        desk.venue.next_submit(fills_late=True)
        order = desk.enter("0.1")
        report = FillReport(
            venue_trade_id="t-1",
            venue_order_id=order.venue_order_id,
            symbol="BTC/USDT",
            side=Side.BUY,
            quantity=Decimal("0.1"),
            price=Decimal(40_000),
            fee=Decimal("0.01"),
            fee_currency="BNB",
            liquidity=Liquidity.TAKER,
            venue_at=desk.now,
        )
        with transaction.atomic():
            fills.record_fill(
                orders.lock_order(order.pk),
                report=report,
                actor=OrderActor.RECONCILER,
                now=desk.now,
            )
        return Fill.objects.get()

    return book


def test_without_a_price_it_is_in_no_figure_and_shown_apart(desk, pay):
    fill = pay()
    owner = desk.deployment.owner

    assert fill.fee_in_quote is None
    assert desk.position.fees == 0
    assert results.unvalued_fees(owner, deployment_id=desk.deployment.pk) == {
        "BNB": Decimal("0.01")
    }
    person = Client()
    person.force_login(owner)
    page = person.get(reverse("trading:detail", args=[desk.deployment.public_id]))
    assert "Fees of 0.01 BNB are in no figure here" in page.content.decode()


def test_with_a_stored_close_of_its_market_it_counts_at_that(desk, pay):
    bnb = market_factory.make_instrument("BNB/USDT", venue=desk.instrument.venue)
    open_ms = Timeframe.M1.open_of(to_milliseconds(desk.now)) - 5 * Timeframe.M1.milliseconds
    market_factory.store_candles(
        bnb,
        Timeframe.M1,
        market_factory.make_candles([600.0, 610.0], timeframe=Timeframe.M1, first_open_ms=open_ms),
    )

    fill = pay()

    assert fill.fee_in_quote == Decimal("6.10")
    assert desk.position.fees == Decimal("6.10")
    assert results.unvalued_fees(desk.deployment.owner, deployment_id=desk.deployment.pk) == {}
