"""The operators' lists of trading and what they do from them."""

import pytest
from django.test import Client
from django.urls import reverse

from market.enums import OrderStatus
from tests.factories import accounts as people
from tests.factories import trading as factory
from tests.trading.telling import carry_out
from tests.trading.test_rights import end_subscription
from trading.models import ActualState, Deployment

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    client = Client()
    people.sign_in_operator(client)
    return client


def deed(model: str, name: str, pk: int) -> str:
    return reverse(f"admin:trading_{model}_deed", args=[name]) + f"?ids={pk}"


class TestDeployments:
    def test_the_list_shows_right_wish_state_and_health_apart(self, operator, desk):
        url = reverse("admin:trading_deployment_changelist")

        text = operator.get(url).content.decode()
        assert "Crossover" in text
        for column in ("Entitled", "Desired state", "Actual state", "Health"):
            assert column in text
        end_subscription(desk.deployment.owner, now=desk.now)

        assert "Crossover" in operator.get(url, {"entitled": "no"}).content.decode()
        assert "Crossover" not in operator.get(url, {"entitled": "yes"}).content.decode()

    def test_force_stop_asks_for_a_note_first(self, operator, desk):
        url = deed("deployment", "force-stop", desk.deployment.pk)

        assert operator.get(url).status_code == 200
        assert operator.post(url, {"note": ""}).status_code == 200
        assert Deployment.objects.get().actual_state == ActualState.RUNNING

        assert operator.post(url, {"note": "Against our rules."}).status_code == 302
        carry_out(now=desk.now)
        assert Deployment.objects.get().actual_state == ActualState.STOPPED

    def test_restart_says_why_it_cannot(self, operator, desk):
        Deployment.objects.update(actual_state=ActualState.STOPPED, desired_state="STOPPED")
        end_subscription(desk.deployment.owner, now=desk.now)
        url = deed("deployment", "restart", desk.deployment.pk)

        response = operator.post(url, {"note": ""}, follow=True)

        assert "subscription" in response.content.decode()
        assert Deployment.objects.get().actual_state == ActualState.STOPPED

    def test_restart_starts_it(self, operator, desk):
        Deployment.objects.update(actual_state=ActualState.STOPPED, desired_state="STOPPED")
        desk.deployment.revisions.update(to_bar_at=desk.now)

        operator.post(deed("deployment", "restart", desk.deployment.pk), {"note": ""})

        assert Deployment.objects.get().actual_state == ActualState.STARTING

    def test_is_no_business_of_others(self, desk):
        person = Client()
        person.force_login(desk.deployment.owner)

        response = person.post(
            deed("deployment", "force-stop", desk.deployment.pk), {"note": "mine"}
        )

        assert response.status_code in {302, 403, 404}
        assert Deployment.objects.get().actual_state == ActualState.RUNNING


class TestOrders:
    def test_the_page_of_an_order_shows_its_steps_and_changes_nothing(self, operator, desk):
        order = desk.enter("0.1")

        page = operator.get(reverse("admin:trading_order_change", args=[order.pk]))

        text = page.content.decode()
        assert page.status_code == 200
        for status in ("SUBMITTING", "ACCEPTED", "FILLED"):
            assert status in text
        assert "Close as seen" not in text

    def test_an_order_under_review_is_closed_with_a_note(self, operator, desk):
        order = desk.enter("0.1")
        factory.put_under_review(order, now=desk.now)

        page = operator.get(reverse("admin:trading_order_change", args=[order.pk]))
        assert "Close as seen" in page.content.decode()
        operator.post(
            deed("order", "close", order.pk), {"closed_as": "CANCELED", "note": "Seen there."}
        )

        order.refresh_from_db()
        assert order.status == OrderStatus.CANCELED
