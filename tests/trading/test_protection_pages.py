"""The page on protections: a person reduces, limits, flattens and lets go on what is theirs."""

from decimal import Decimal

import pytest
from django.urls import reverse

from foundation.audit import Actor
from tests.accounts.visits import confirm_it_is_me
from tests.factories import accounts as people
from tests.trading.telling import carry_out
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


def test_flattening_all_closes_what_is_open_once(client, desk, person, page):
    confirm_it_is_me(client)
    desk.enter()
    desk.reconcile()
    address = reverse("trading:flatten")
    key = client.get(address).context["form"]["idempotency_key"].value()
    sent = {"reason": "Out.", "idempotency_key": key}
    assert client.post(address, sent).status_code == 422
    assert not DeploymentCommand.objects.exists()

    for _ in range(2):
        assert client.post(address, sent | {"agrees": "on"}).status_code == 302

    assert DeploymentCommand.objects.filter(kind="FLATTEN").count() == 1
    row = TradingRestriction.objects.get()
    assert (row.scope, row.state, row.reason) == ("PERSON", "REDUCING", "Out.")
    carry_out(now=desk.now)
    desk.reconcile()
    assert desk.position.quantity == 0


class TestTheFormsOfADeployment:
    def test_take_its_limits_at_its_start(self, page, desk):
        sent = {
            "name": "Limited",
            "account": str(desk.deployment.account.public_id),
            "market": "memory:BTC/USDT",
            "timeframe": "1m",
            "capital": "1000",
            "stop_policy": "FLATTEN",
        }
        address = reverse("trading:new") + "?strategy=ema-crossover"
        form = page.get(address).context["form"]
        sent |= {bound.html_name: bound.value() for bound in form.strategy_fields()}
        wrong = page.post(address, sent | {"protections.max_spread_bps": "wide"})
        assert wrong.status_code == 422
        assert set(wrong.context["form"].errors) == {"protections.max_spread_bps"}
        assert "<details open>" in wrong.text

        made = page.post(address, sent | {"protections.max_spread_bps": "12.5"})

        assert made.status_code == 302, made.context["form"].errors
        row = ProtectionLimits.objects.get(deployment__name="Limited")
        assert row.max_spread_bps == Decimal("12.5")

    def test_show_what_holds_if_nothing_is_set(self, page, desk):
        text = page.get(reverse("trading:new") + "?strategy=ema-crossover").text

        for words in ("10 if empty", "2000 if empty", "15 to 60, by the timeframe if empty"):
            assert words in text

    def test_change_its_limits_and_leave_them_alone_without_the_fields(self, page, desk):
        address = reverse("trading:change", args=[desk.deployment.public_id])
        form = page.get(address).context["form"]
        sent = {"name": "Crossover", "stop_policy": "FLATTEN", "revision": "1"}
        sent |= {bound.html_name: bound.value() for bound in form.strategy_fields()}

        page.post(address, sent | {"protections.max_open_orders": "2"})

        assert ProtectionLimits.objects.get().max_open_orders == 2
        shown = page.get(address).context["form"]["protections.max_open_orders"].value()
        assert shown == "2"
        page.post(address, sent)
        assert ProtectionLimits.objects.exists()
        page.post(address, sent | {"protections.max_open_orders": ""})
        assert not ProtectionLimits.objects.exists()
