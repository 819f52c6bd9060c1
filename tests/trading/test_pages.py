"""The pages of trading: what they show, what they refuse, and how they move."""

import re
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from exchanges.models import AccountKind
from strategies.services import catalogue
from tests.factories import accounts as people
from tests.factories import billing
from tests.factories import trading as factory
from tests.trading.rows import Traded, make_traded_deployment
from trading.models import CommandKind, Deployment, DeploymentCommand, DesiredState

pytestmark = pytest.mark.django_db

OF_THE_CROSSOVER = "?strategy=ema-crossover"
WISH = {
    "name": "My crossover",
    "timeframe": "1m",
    "capital": "1000",
    "stop_policy": "FLATTEN",
    "market": "memory:BTC/USDT",
    "parameters.short_ema_period": "10",
    "parameters.long_ema_period": "20",
    "parameters.risk_per_trade_percent": "1",
    "parameters.stop_loss_percent": "2",
    "parameters.take_profit_percent": "4",
    "parameters.direction": "BOTH",
    "parameters.leverage": "1",
    "parameters.max_trades_per_day": "0",
    "parameters.cooldown_bars": "0",
}


@pytest.fixture
def owner():
    return people.make_person()


@pytest.fixture
def person(owner) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def traded(owner) -> Traded:
    return make_traded_deployment(owner)


def page_of(traded: Traded) -> str:
    return reverse("trading:detail", args=[traded.deployment.public_id])


def text_of(response) -> str:
    """Return what a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


class TestTheList:
    def test_it_says_where_each_deployment_trades_and_what_it_earned(self, person, traded):
        text = text_of(person.get(reverse("trading:list")))

        assert "Crossover EMA crossover BTC/USDT 1m Live Simulator Running 0.0999 BTC" in text

    def test_without_deployments_it_offers_the_first_step(self, person):
        response = person.get(reverse("trading:list"))

        assert "No deployments yet" in text_of(response)
        assert reverse("trading:new") in response.content.decode()

    def test_its_queries_do_not_grow_with_the_rows(
        self, owner, person, traded, django_assert_num_queries
    ):
        billing.with_plan(owner)

        with CaptureQueriesContext(connection) as few:
            assert person.get(reverse("trading:list")).status_code == 200
        for number in range(12):
            factory.make_deployment(
                traded.deployment.account, now=traded.now, name=f"Another {number}"
            )
        with django_assert_num_queries(len(few)):
            assert person.get(reverse("trading:list")).status_code == 200


class TestTheForm:
    @pytest.fixture
    def account(self, owner, now):
        catalogue.sync_catalogue(now=now)
        billing.subscribe(owner)
        return factory.make_account(
            owner, factory.make_memory_instrument(), kind=AccountKind.PAPER, now=now
        )

    def send(self, person: Client, account, **changes: str):
        wish = {**WISH, "account": str(account.public_id), **changes}
        return person.post(reverse("trading:new") + OF_THE_CROSSOVER, wish)

    def test_a_complete_form_deploys_and_leads_to_its_page(self, person, account):
        response = self.send(person, account)

        deployment = Deployment.objects.get()
        assert response.status_code == 302
        assert response["Location"] == reverse("trading:detail", args=[deployment.public_id])
        assert deployment.capital == Decimal(1000)
        assert deployment.revisions.get().parameters["long_ema_period"] == 20

    def test_a_form_that_is_sent_twice_deploys_once(self, person, account):
        offered = (
            person.get(reverse("trading:new") + OF_THE_CROSSOVER)
            .context["form"]["request_key"]
            .value()
        )
        key = str(offered)

        first = self.send(person, account, request_key=key)
        again = self.send(person, account, request_key=key)

        assert first["Location"] == again["Location"]
        assert Deployment.objects.count() == 1

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("capital", "-5", "more than 0"),
            ("capital", "2", "smallest order"),
            ("capital", "1,5,5", "Enter a number"),
            ("market", "binance:BTC/USDT", "not one of the available choices"),
            ("timeframe", "7m", "not one of the available choices"),
            ("name", " ", "required"),
            ("parameters.short_ema_period", "1", "at least 2"),
            ("parameters.short_ema_period", "30", "must be shorter"),
            ("parameters.stop_loss_percent", "much", "number"),
        ],
    )
    def test_an_error_stands_at_its_field_and_the_entries_stay(
        self, person, account, field, value, said
    ):
        response = self.send(person, account, **{field: value})

        form = response.context["form"]
        assert response.status_code == 422
        assert said in " ".join(form.errors[field])
        assert form["name"].value() == (value if field == "name" else "My crossover")
        assert not Deployment.objects.exists()

    def test_an_account_that_is_not_connected_is_named(self, person, account):
        account.kind, account.status, account.connected_at = AccountKind.LIVE, "INVALID", None
        account.save()

        response = self.send(person, account)

        assert "not connected" in " ".join(response.context["form"].errors["account"])

    def test_without_a_subscription_the_step_to_one_comes_first(self, person, owner, now):
        catalogue.sync_catalogue(now=now)
        account = factory.make_account(
            owner, factory.make_memory_instrument(), kind=AccountKind.PAPER, now=now
        )

        shown = person.get(reverse("trading:new") + OF_THE_CROSSOVER)
        refused = self.send(person, account)

        assert "Subscribe to EMA crossover first" in text_of(shown)
        assert f'action="{reverse("billing:subscribe")}"' in shown.content.decode()
        assert refused.status_code == 402
        assert "You need a subscription" in text_of(refused)
        assert reverse("billing:usage") in refused.content.decode()
        assert not Deployment.objects.exists()

        person.post(reverse("billing:subscribe"), {"product": "strategy:ema-crossover"})
        assert self.send(person, account).status_code == 302

    def test_the_limit_of_the_plan_is_named_with_a_way_to_see_it(self, person, account):
        for _ in range(3):
            assert self.send(person, account).status_code == 302

        refused = self.send(person, account)

        assert refused.status_code == 402
        assert "3 paper deployments" in text_of(refused)
        assert reverse("billing:usage") in refused.content.decode()
        assert refused.context["form"]["name"].value() == "My crossover"

    def test_real_money_needs_a_tick(self, owner, person, account):
        billing.with_plan(owner)
        account.kind = AccountKind.LIVE
        account.save()
        account.venue.real_money = True
        account.venue.save()

        refused = self.send(person, account)
        taken = self.send(person, account, accept_risk="on")

        assert "Tick this" in " ".join(refused.context["form"].errors["accept_risk"])
        assert taken.status_code == 302

    def test_without_an_account_it_says_what_comes_first(self, person, now):
        catalogue.sync_catalogue(now=now)

        response = person.get(reverse("trading:new") + OF_THE_CROSSOVER)

        assert "An account comes first" in text_of(response)
        assert reverse("exchanges:list") in response.content.decode()

    def test_accounts_of_others_are_no_choice(self, person, account, now):
        stranger = people.make_person("mallory@example.com")
        foreign = factory.make_account(
            stranger, account.venue.instruments.get(), kind=AccountKind.LIVE, now=now
        )

        response = self.send(person, foreign)

        assert "account" in response.context["form"].errors
        assert not Deployment.objects.exists()

    def test_an_unknown_strategy_is_not_found(self, person, account):
        assert person.get(reverse("trading:new") + "?strategy=none").status_code == 404


class TestThePage:
    def test_it_shows_state_position_orders_fills_and_decisions(self, person, traded):
        text = text_of(person.get(page_of(traded)))

        assert "State Running Asked for Running Health Healthy Subscription Active" in text
        assert "Quantity 0.0999 BTC" in text
        assert "Stop 39,200.00 Target 41,600.00" in text
        assert "submitting" in text
        assert re.search(r"BTC/USDT \d\d:\d\d: no entry, no cross", text)
        assert "The stop rests at the exchange as a STOP_LOSS order" in text

    def test_on_paper_it_says_that_bars_decide(self, person, owner):
        traded = make_traded_deployment(owner, kind=AccountKind.PAPER)

        text = text_of(person.get(page_of(traded)))

        assert "Nothing is sent to an exchange" in text
        assert "Flat" in text

    def test_a_poll_hears_nothing_until_something_changes(self, person, traded):
        since = person.get(page_of(traded)).context["live"].since
        url = reverse("trading:live", args=[traded.deployment.public_id])

        still = person.get(url, {"since": since})
        traded.deployment.health = "DEGRADED"
        traded.deployment.health_message = "The exchange does not answer."
        traded.deployment.save()
        moved = person.get(url, {"since": since})

        assert still.status_code == 204
        assert moved.status_code == 200
        assert "The exchange does not answer." in text_of(moved)
        assert moved.content.decode().count("hx-swap-oob") == 1

    def test_an_unreadable_tag_gets_everything(self, person, traded):
        url = reverse("trading:live", args=[traded.deployment.public_id])

        response = person.get(url, {"since": "nonsense"})

        assert response.content.decode().count("hx-swap-oob") == 6

    def test_its_chart_has_bars_lines_levels_and_marks(self, person, traded):
        url = reverse("trading:chart", args=[traded.deployment.public_id])

        data = person.get(url).json()

        assert len(data["candles"]) == 300
        assert [line["name"] for line in data["lines"]] == ["EMA 2", "EMA 5", "Stop", "Target"]
        assert {mark["side"] for mark in data["markers"]} == {"BUY", "SELL"}
        assert data["markers"][-1]["time"] <= data["candles"][-1]["time"]


class TestCommands:
    def send(self, person: Client, traded: Traded, kind: str, key: str = ""):
        url = reverse("trading:command", args=[traded.deployment.public_id])
        return person.post(url, {"kind": kind, "idempotency_key": key or uuid4().hex})

    def test_stop_is_recorded_and_its_progress_shown(self, person, traded):
        response = self.send(person, traded, "STOP")

        traded.deployment.refresh_from_db()
        assert response["Location"] == page_of(traded)
        assert traded.deployment.desired_state == DesiredState.STOPPED
        assert "Stop : asked at" in text_of(person.get(page_of(traded)))

    def test_the_same_form_sent_twice_is_one_command(self, person, traded):
        self.send(person, traded, "FLATTEN", key="once")
        self.send(person, traded, "FLATTEN", key="once")

        assert DeploymentCommand.objects.count() == 1

    @pytest.mark.parametrize(("kind", "key"), [("EXPLODE", "a"), ("STOP", "x" * 200)])
    def test_nonsense_is_refused_with_a_message(self, person, traded, kind, key):
        response = self.send(person, traded, kind, key)

        assert response.status_code == 302
        assert [str(each) for each in get_messages(response.wsgi_request)] != []
        assert not DeploymentCommand.objects.exists()

    def test_only_what_makes_sense_is_offered(self, person, traded):
        def offered() -> list[str]:
            actions = person.get(page_of(traded)).context["parts"]["actions"].view.actions
            return [action.kind for action in actions]

        before = offered()
        self.send(person, traded, "PAUSE")
        paused = offered()

        assert before == [CommandKind.PAUSE, CommandKind.FLATTEN, CommandKind.STOP]
        assert paused == [CommandKind.RESUME, CommandKind.FLATTEN, CommandKind.STOP]


class TestTheDashboard:
    def test_a_new_person_is_led_through_three_steps(self, person):
        text = text_of(person.get(reverse("web:dashboard")))

        assert "Try a backtest" in text
        assert "Connect an account, or use paper" in text
        assert "No backtests yet" in text

    def test_it_sums_up_what_is_at_work(self, person, traded):
        text = text_of(person.get(reverse("web:dashboard")))

        assert "Deployments at work 1" in text
        assert "Open positions 1" in text
        assert "Three steps" not in text

    def test_a_poll_hears_nothing_until_something_changes(self, person, traded):
        url = reverse("web:dashboard")
        tag = person.get(url).context["page"].tag
        htmx = {"HX-Request": "true"}

        still = person.get(url, {"since": tag}, headers=htmx)
        traded.deployment.name = "Renamed"
        traded.deployment.save()
        moved = person.get(url, {"since": tag}, headers=htmx)

        assert still.status_code == 204
        assert "Renamed" in text_of(moved)
        assert "<html" not in moved.content.decode()

    def test_nothing_of_others_is_on_it(self, traded):
        stranger = Client()
        stranger.force_login(people.make_person("mallory@example.com"))

        assert "Crossover" not in text_of(stranger.get(reverse("web:dashboard")))

    def test_its_queries_do_not_grow_with_the_deployments(
        self, owner, person, traded, django_assert_num_queries
    ):
        billing.with_plan(owner)

        with CaptureQueriesContext(connection) as few:
            assert person.get(reverse("web:dashboard")).status_code == 200
        for number in range(8):
            factory.make_deployment(
                traded.deployment.account, now=traded.now, name=f"Another {number}"
            )
        with django_assert_num_queries(len(few)):
            assert person.get(reverse("web:dashboard")).status_code == 200
