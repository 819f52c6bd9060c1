"""What it takes to give an order up, and what keeps it from being given up."""

import asyncio
from decimal import Decimal

import pytest
from django.conf import settings

from exchanges.adapters.memory import InMemoryVenueClient
from exchanges.adapters.protocol import OrderReport
from exchanges.models import Balance, Instrument, Venue
from exchanges.services import leases
from exchanges.services.leases import AccountLeaseLostError
from market.enums import OrderStatus
from trading.models import Order, OrderTransition
from trading.services import absence, lookups, questions
from trading.services.questions import Answers, Lookups

pytestmark = pytest.mark.django_db


@pytest.fixture
def lost(desk) -> Order:
    """An order that never arrived, and of which nobody knows that."""
    desk.venue.next_submit(times_out=True)
    order: Order = desk.enter()
    assert order.status == OrderStatus.UNKNOWN
    return order


def look(desk, order: Order, *, times: int, pause_s: float = 11) -> Order:
    for _ in range(times):
        desk.later(pause_s)
        desk.reconcile()
    order.refresh_from_db()
    return order


class TestEvidence:
    def test_balances_that_did_not_move_are_kept_with_it(self, desk, lost):
        assert look(desk, lost, times=7).status == OrderStatus.ABANDONED

        last = OrderTransition.objects.filter(order=lost).latest("pk")
        assert (last.actor, last.proof) == ("RECONCILER", "ABSENCE")
        assert Decimal(last.evidence["balance"]["USDT"]) == 100_000
        assert last.evidence["asked"] == ["client id", "open orders", "fills", "balances"]

    @pytest.mark.parametrize(("currency", "amount"), [("USDT", "-4000"), ("BTC", "0.1")])
    def test_balances_that_moved_leave_it_to_an_operator(self, desk, lost, currency, amount):
        account = str(desk.deployment.account.public_id)
        desk.venue.book.deposit(account, currency, Decimal(amount))

        assert look(desk, lost, times=7).status == OrderStatus.MANUAL_REVIEW

    def test_without_knowing_what_was_there_before_it_stays_in_doubt(self, desk):
        Balance.objects.all().delete()
        desk.venue.next_submit(times_out=True)
        order = desk.enter()
        Order.objects.filter(pk=order.pk).update(balance_before={})

        assert look(desk, order, times=8).status == OrderStatus.UNKNOWN

    def test_looks_in_quick_succession_count_once(self, desk, lost):
        desk.later(120)

        assert look(desk, lost, times=4, pause_s=1).absent_lookups == 1

    def test_where_orders_are_only_found_in_lists_it_takes_a_quarter_of_an_hour(self):
        def horizon(ccxt_id: str) -> float:
            return absence.horizon_s(Order(instrument=Instrument(venue=Venue(ccxt_id=ccxt_id))))

        assert horizon("binance") == settings.HORIZONS.absence_s == 60
        assert horizon("kraken") == horizon("bybit") == 900


class TestFencing:
    def test_whoever_was_paused_too_long_writes_nothing(self, desk, lost):
        (old,) = leases.claim_accounts(account_ids=[lost.account_id], seconds=60)
        leases.take_over(account_id=lost.account_id, seconds=60)
        heard = Answers(lost.account_id, {lost.client_order_id: None}, {}, {}, None, None)

        with pytest.raises(AccountLeaseLostError):
            lookups.apply_lookup(lease=old, order_id=lost.pk, answers=heard, now=desk.now)


class Counting(InMemoryVenueClient):
    """A client of the venue in memory that remembers what it is asked for by name."""

    asked: list[str]
    stops: list[str]

    async def find_order(
        self, *, symbol: str, client_order_id: str, is_stop: bool = False
    ) -> OrderReport | None:
        self.asked.append(client_order_id)
        if is_stop:
            self.stops.append(client_order_id)
        return await super().find_order(symbol=symbol, client_order_id=client_order_id)


class TestQuestions:
    @pytest.fixture
    def client(self, desk) -> Counting:
        client = Counting(desk.venue, str(desk.deployment.account.public_id))
        client.asked, client.stops = [], []
        return client

    def ask(self, desk, client: Counting, ids: list[str]) -> Answers:
        lookups = Lookups(
            account_id=desk.deployment.account_id,
            orders=[("BTC/USDT", each) for each in ids],
            symbols=["BTC/USDT"],
            fills_since=desk.now,
        )
        return asyncio.run(questions.ask(client, lookups=lookups))

    def test_what_a_list_shows_is_not_asked_for_again(self, desk, client):
        desk.enter()
        stop = desk.order("STOP").client_order_id

        answers = self.ask(desk, client, [stop, "nowhere"])

        assert client.asked == ["nowhere"]
        assert answers.lists(stop)
        assert answers.orders == {"nowhere": None}

    def test_no_more_than_ten_are_asked_for_by_name_in_one_turn(self, desk, client):
        ids = [f"order-{number}" for number in range(25)]

        self.ask(desk, client, ids)

        assert client.asked == ids[:10]
