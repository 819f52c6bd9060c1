"""What fundings bring and take: whose it is, that it is booked once, and what comes of it."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from exchanges.adapters.protocol import FundingPaymentReport
from market.enums import Leg, Side
from market.errors import VenueError
from tests.trading.conftest import Desk
from tests.trading.live_market import SWAP
from trading.models import (
    AccountPosition,
    FundingCursor,
    FundingPayment,
)
from trading.selectors import results
from trading.services import fills, fundings

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def pay(desk: Desk, amount: str, *, at: datetime, number: int = 1, symbol: str = SWAP) -> None:
    """Let the exchange list a payment of the account."""
    account = str(desk.deployment.account.public_id)
    desk.venue.book.swaps.payments[account].append(
        FundingPaymentReport(f"{number}", symbol, Decimal(amount), "USDT", at)
    )


def book(desk: Desk, *, after: timedelta = HOUR) -> int:
    """Book what is there some time from now."""
    desk.now += after
    return fundings.book_due(now=desk.now)


def booked() -> list[tuple[int, Decimal]]:
    return list(FundingPayment.objects.order_by("pk").values_list("deployment_id", "amount"))


@pytest.fixture
def held(swap_desk):
    """A deployment that holds 0.1 bitcoin."""
    swap_desk.enter("0.1")
    return swap_desk


class TestAPayment:
    def test_is_booked_once_however_often_it_is_listed(self, held):
        pay(held, "-1.25", at=held.now + timedelta(minutes=5))
        pay(held, "0.5", at=held.now + timedelta(minutes=6), number=2)
        own = held.deployment.pk

        assert book(held) == 1
        assert book(held) == 1

        assert booked() == [(own, Decimal("-1.25")), (own, Decimal("0.5"))]
        assert held.position.funding == Decimal("-0.75")

    def test_is_in_the_result_and_in_what_there_is_to_trade_with(self, held):
        before = results.result_of([held.position])
        with_it = fills.with_funding(held.position).net_realized_pnl
        pay(held, "-1.25", at=held.now + timedelta(minutes=5))

        book(held)

        after = results.result_of([held.position])
        assert after.net == before.net - Decimal("1.25")
        assert after.net_realized == before.net_realized - Decimal("1.25")
        assert fills.with_funding(held.position).net_realized_pnl == with_it - Decimal("1.25")

    def test_from_before_the_position_or_after_its_end_is_nobodys(self, held):
        pay(held, "-1", at=held.now - timedelta(minutes=5))
        exit_ = held.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.1"))
        held.later(1)
        held.submit()
        exit_.refresh_from_db()
        assert held.position.quantity == 0
        pay(held, "-1", at=held.now + timedelta(minutes=5), number=2)

        book(held)

        assert booked() == []

    def test_so_young_that_its_executions_may_still_come_waits(self, held):
        pay(held, "-1", at=held.now + HOUR - timedelta(seconds=30))

        book(held)
        assert booked() == []
        book(held)

        assert booked() == [(held.deployment.pk, Decimal(-1))]

    def test_of_a_position_that_is_partly_somebody_elses_is_shared(self, held):
        AccountPosition.objects.create(
            owner=held.deployment.owner,
            account=held.deployment.account,
            instrument=held.instrument,
            quantity=Decimal("0.4"),
            deployed_quantity=Decimal("0.1"),
            external_quantity=Decimal("0.3"),
            venue_at=held.now,
        )
        pay(held, "-1", at=held.now + timedelta(minutes=5))

        book(held)

        assert booked() == [(held.deployment.pk, Decimal("-0.25"))]

    def test_of_a_market_that_nobody_trades_here_is_left_alone(self, held):
        pay(held, "-1", at=held.now + timedelta(minutes=5), symbol="ETH/USDT:USDT")
        book(held)
        assert booked() == []

    def test_is_in_the_line_of_what_was_earned_fill_by_fill(self, held):
        owner, ids = held.deployment.owner, [held.deployment.pk]
        (before,) = results.earned_by_fill(owner, deployment_ids=ids, at_most=9).values()
        pay(held, "-1.25", at=held.now + timedelta(minutes=5))

        book(held)

        (after,) = results.earned_by_fill(owner, deployment_ids=ids, at_most=9).values()
        assert after == (*before, before[-1] - Decimal("1.25"))


class TestWhenItIsAsked:
    def test_once_an_hour_soon_after_the_hour(self, held):
        book(held)
        (cursor,) = FundingCursor.objects.all()
        assert cursor.next_at.minute == 2
        assert timedelta(0) < cursor.next_at - held.now <= HOUR + timedelta(minutes=2)

        assert fundings.book_due(now=cursor.next_at - timedelta(seconds=1)) == 0
        assert fundings.book_due(now=cursor.next_at) == 1

    def test_without_an_answer_again_soon_and_nothing_is_missed(self, held):
        pay(held, "-1", at=held.now + timedelta(minutes=5))
        held.venue.next_question(raises=VenueError("No."))

        assert book(held) == 0
        assert booked() == []
        assert book(held, after=timedelta(minutes=5)) == 1

        assert booked() == [(held.deployment.pk, Decimal(-1))]

    def test_not_at_all_for_what_is_no_swap(self, desk):
        desk.enter("0.1")
        assert fundings.book_due(now=desk.now) == 0
        assert not FundingCursor.objects.exists()
