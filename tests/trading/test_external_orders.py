"""What rests on an account without a row here: ours again where that can be proven, else left alone."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.urls import reverse

from exchanges.adapters.protocol import OrderRequest
from market.enums import Leg, OrderStatus, OrderType, Side
from market.timeframes import Timeframe, to_milliseconds
from tests.factories import accounts as people
from trading.domain import keys
from trading.models import DeploymentRevision, ExternalOrder, Order, OrderIntent, OrderTransition

pytestmark = pytest.mark.django_db


def rest(desk, client_order_id: str, *, side: Side = Side.BUY, price: int = 30_000) -> str:
    """Let an order rest at the venue that nobody here knows of; return its id there."""
    request = OrderRequest(
        client_order_id=client_order_id,
        symbol="BTC/USDT",
        side=side,
        order_type=OrderType.LIMIT,
        quantity=Decimal("0.01"),
        price=Decimal(price),
    )
    placed = desk.venue.book.place(str(desk.deployment.account.public_id), request)
    venue_order_id: str = placed.report().venue_order_id
    return venue_order_id


def id_of(desk, decision: str, *, attempt: int = 0) -> str:
    return keys.client_order_id(
        salt=settings.INSTALLATION_SALT,
        deployment=desk.deployment.public_id,
        decision=decision,
        attempt=attempt,
    )


class TestOthers:
    def test_an_order_made_by_hand_is_noted_and_never_touched(self, desk):
        there = rest(desk, "by-hand")

        for _ in range(3):
            desk.later(16)
            desk.reconcile()
            desk.submit()

        row = ExternalOrder.objects.get()
        assert (row.venue_order_id, row.gone_at) == (there, None)
        assert row.owner == desk.deployment.owner
        assert not Order.objects.exists()
        assert desk.venue.find("by-hand").is_working

    def test_when_it_rests_no_more_that_is_noted_too(self, desk):
        rest(desk, "by-hand")
        desk.reconcile()
        desk.venue.book.cancel(desk.venue.find("by-hand"))

        desk.later(16)
        desk.reconcile()

        assert ExternalOrder.objects.get().gone_at == desk.now

    def test_one_that_has_the_form_of_ours_proves_nothing(self, desk):
        rest(desk, "0123456789abcdef" * 2)

        desk.reconcile()

        assert ExternalOrder.objects.count() == 1
        assert not Order.objects.exists()

    def test_its_owner_sees_it_and_nobody_else(self, desk, client):
        rest(desk, "by-hand")
        desk.reconcile()
        client.force_login(desk.deployment.owner)
        assert "Not made here" in client.get(reverse("trading:orders")).content.decode()

        client.force_login(people.make_person("eve@example.com"))
        assert "Not made here" not in client.get(reverse("trading:orders")).content.decode()


class TestLostRows:
    def test_an_order_of_the_last_bar_is_ours_again(self, desk):
        bar = Timeframe.M1.open_of(to_milliseconds(desk.now))
        revision = DeploymentRevision.objects.get(deployment=desk.deployment)
        decision = keys.decision_key(
            revision_id=revision.pk,
            instrument_id=desk.instrument.pk,
            bar_close_ms=bar,
            leg=Leg.ENTRY,
        )
        there = rest(desk, id_of(desk, decision))

        desk.reconcile()

        order = Order.objects.get()
        assert (order.status, order.venue_order_id) == (OrderStatus.ACCEPTED, there)
        assert (order.leg, order.intent.decision_key) == (Leg.ENTRY, decision)
        actors = OrderTransition.objects.filter(order=order).values_list("actor", flat=True)
        assert set(actors) == {"RECONCILER"}
        assert not ExternalOrder.objects.exists()

    def test_a_second_attempt_whose_decision_is_still_here_is_ours_again(self, desk):
        intent = desk.decide(key="kept", not_before=desk.now + timedelta(hours=1))
        rest(desk, id_of(desk, "kept", attempt=1))

        desk.reconcile()

        order = Order.objects.get()
        assert (order.intent, order.attempt) == (intent, 1)
        assert OrderIntent.objects.count() == 1

    def test_what_fills_of_it_is_booked(self, desk):
        desk.decide(key="kept", not_before=desk.now + timedelta(hours=1))
        rest(desk, id_of(desk, "kept"))
        desk.reconcile()
        desk.venue.set_price("BTC/USDT", Decimal(29_000))

        desk.later(16)
        desk.reconcile()

        assert Order.objects.get(leg=Leg.ENTRY).status == OrderStatus.FILLED
        assert desk.position.quantity > 0


class TestTheirLists:
    @pytest.fixture
    def stranger(self):
        return people.make_person(email="stranger@example.com")

    def test_of_the_api_come_in_pages_by_account_and_by_whether_they_rest(self, desk, client):
        names = [rest(desk, f"by-hand-{number}") for number in range(3)]
        desk.reconcile()
        desk.venue.book.cancel(desk.venue.find("by-hand-0"))
        desk.later(16)
        desk.reconcile()
        client.force_login(desk.deployment.owner)
        address = reverse("trading-api:external-orders")

        first = client.get(address, {"limit": 2}).json()
        second = client.get(first["next"]).json()

        listed = [*first["results"], *second["results"]]
        assert {each["venue_order_id"] for each in listed} == set(names)
        assert (len(first["results"]), second["next"]) == (2, None)
        [gone] = client.get(address, {"state": "gone"}).json()["results"]
        assert (gone["client_order_id"], gone["quantity"]) == ("by-hand-0", "0.01")
        own = str(desk.deployment.account.public_id)
        assert {each["account"] for each in listed} == {own}
        resting = client.get(address, {"state": "resting", "account": own}).json()["results"]
        assert len(resting) == 2
        other = client.get(address, {"account": "11111111-1111-4111-8111-111111111111"}).json()
        assert other["results"] == []
        assert client.get(address, {"account": "mine"}).status_code == 400

    def test_show_nothing_to_anybody_else(self, desk, client, stranger):
        rest(desk, "by-hand")
        desk.reconcile()
        client.force_login(stranger)

        account = {"account": str(desk.deployment.account.public_id)}
        told = client.get(reverse("trading-api:external-orders"), account).json()
        page = client.get(reverse("trading:external-orders"), account)

        assert told["results"] == []
        assert page.context["external"] == []

    def test_of_the_page_are_narrowed_down_to_an_account(self, desk, client):
        there = rest(desk, "by-hand")
        desk.reconcile()
        client.force_login(desk.deployment.owner)
        address = reverse("trading:external-orders")

        of_account = client.get(address, {"account": str(desk.deployment.account.public_id)})
        gone = client.get(address, {"state": "gone"})

        assert [row.venue_order_id for row in of_account.context["external"]] == [there]
        assert f"<code>{there}</code>" in of_account.text
        assert gone.context["external"] == []
