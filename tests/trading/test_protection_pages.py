"""The page on protections: a person reduces, limits, flattens and lets go on what is theirs."""

import pytest
from django.urls import reverse

from foundation.audit import Actor
from tests.factories import accounts as people
from trading.models import DeploymentCommand, ProtectionLimits, TradingRestriction
from trading.services import restrictions

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(desk):
    return desk.deployment.owner


@pytest.fixture
def page(client, person):
    client.force_login(person)
    return client


class TestTheState:
    def test_of_a_deployment_is_set_shown_everywhere_and_ended_again(self, page, desk):
        sent = {
            "scope": f"deployment:{desk.deployment.public_id}",
            "state": "HALTED",
            "reason": "Odd.",
        }
        assert page.post(reverse("trading:set-state"), sent).status_code == 302

        row = TradingRestriction.objects.get()
        assert (row.owner_id, row.state, row.reason) == (desk.deployment.owner_id, "HALTED", "Odd.")
        assert "trading is halted" in page.get(reverse("web:dashboard")).content.decode()

        page.post(reverse("trading:release", args=[row.public_id]))

        row.refresh_from_db()
        assert row.released_at is not None
        assert "trading is halted" not in page.get(reverse("web:dashboard")).content.decode()

    def test_needs_a_reason(self, page):
        answer = page.post(reverse("trading:set-state"), {"scope": "person", "state": "HALTED"})

        assert answer.status_code == 422
        assert not TradingRestriction.objects.exists()

    def test_that_an_operator_has_set_is_not_theirs_to_end(self, page, person, now):
        row = restrictions.set_by_hand(
            target=restrictions.of_person(person.pk, name="P"),
            state="HALTED",
            reason="Odd.",
            by=Actor.system("test-operator"),
            is_operator=True,
            now=now,
        )
        assert row is not None
        page.post(reverse("trading:release", args=[row.public_id]))

        row.refresh_from_db()
        assert row.released_at is None

    def test_of_somebody_else_is_not_found(self, client, desk, page, person, now):
        row = restrictions.set_by_hand(
            target=restrictions.of_person(person.pk, name="P"),
            state="HALTED",
            reason="Odd.",
            by=Actor.person(person.pk),
            is_operator=False,
            now=now,
        )
        assert row is not None
        client.force_login(people.make_person(email="stranger@example.com"))

        answer = client.post(reverse("trading:release", args=[row.public_id]))

        assert answer.status_code == 404


class TestLimits:
    def test_are_saved_and_shown(self, page, desk):
        address = reverse("trading:limits") + f"?of=deployment:{desk.deployment.public_id}"

        answer = page.post(address, {"max_daily_loss_percent": "2.5", "max_open_positions": "3"})

        assert answer.status_code == 302
        row = ProtectionLimits.objects.get()
        assert (row.deployment_id, row.max_open_positions) == (desk.deployment.pk, 3)
        assert "2.5 %" in page.get(reverse("trading:protections")).content.decode()

    def test_that_cannot_be_are_told_at_their_fields(self, page):
        sent = {"max_daily_loss_percent": "-1", "max_open_positions": "1.5"}

        answer = page.post(reverse("trading:limits"), sent)

        assert answer.status_code == 422
        assert set(answer.context["form"].errors) == set(sent)
        assert not ProtectionLimits.objects.exists()


def test_flattening_all_asks_for_the_password_first(client, person, page):
    answer = page.post(reverse("trading:flatten"), {"agrees": "on"})

    assert answer.status_code == 302
    assert "reauth" in answer["Location"]
    assert not DeploymentCommand.objects.exists()
