"""What operators do to rows of others: it asks first, does its deed, and leaves an audit row."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from backtesting.models import BacktestRun
from billing.models import Plan, Price, Product, Subscription
from billing.services import products
from exchanges.models import AccountKind, ExchangeAccount
from exchanges.services import account_tests
from exchanges.services.account_states import AccountDisabledError
from foundation.audit import Actor
from foundation.models import AuditEntry, OutboxEvent
from strategies.models import Strategy
from tests.factories import billing
from tests.factories import trading as trading_factory
from tests.factories.accounts import make_person, sign_in_operator
from tests.factories.backtesting import make_market, make_run
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db

BY = Actor.system("test")


def address_of(name: str, *rows: Model, model: type[Model] | None = None) -> str:
    options = (model or type(rows[0]))._meta
    address = reverse(f"admin:{options.app_label}_{options.model_name}_deed", args=[name])
    return f"{address}?ids={','.join(str(row.pk) for row in rows)}" if rows else address


def do(client: Client, deed: str, /, *rows: Model, **values: Any) -> Any:
    """Ask for a deed and do it; returns the page that tells what came of it."""
    address = address_of(deed, *rows)
    asked = client.get(address)
    assert asked.status_code == 200
    form = asked.context["form"]
    shown = {} if form is None else {each.name: each.value() for each in form}
    given = shown | values
    sent = {name: value for name, value in given.items() if value not in (None, "", False)}
    return client.post(address, sent, follow=True)


@pytest.fixture
def operator(client) -> User:
    return sign_in_operator(client)


class TestPeople:
    @pytest.mark.parametrize(
        ("name", "before", "verb", "column", "after"),
        [
            ("deactivate", {}, "person.deactivated", "is_active", False),
            ("reactivate", {"is_active": False}, "person.reactivated", "is_active", True),
            ("grant-staff", {}, "person.promoted", "is_staff", True),
            (
                "revoke-staff",
                {"is_staff": True, "is_superuser": True},
                "person.demoted",
                "is_superuser",
                False,
            ),
        ],
    )
    def test_a_deed_is_done_and_on_record(
        self, client, operator, name, before, verb, column, after
    ):
        person = make_person(**before)

        told = do(client, name, person)

        person.refresh_from_db()
        assert getattr(person, column) is after
        entry = AuditEntry.objects.get(verb=verb)
        assert (entry.actor_kind, entry.actor_identifier) == ("person", str(operator.pk))
        assert entry.owner_id == person.pk
        assert "ada@example.com: " in told.text

    def test_addresses_are_marked(self, client, operator):
        person = make_person()

        do(client, "unverify", person)
        assert not EmailAddress.objects.get(user=person).verified
        do(client, "verify", person)

        assert EmailAddress.objects.get(user=person).verified
        assert AuditEntry.objects.filter(verb="person.address_verified").exists()

    def test_sessions_end(self, client, operator):
        person = make_person()
        theirs = Client()
        theirs.force_login(person)

        do(client, "sign-out", person)

        assert theirs.get("/dashboard/").status_code == 302
        assert AuditEntry.objects.filter(verb="person.signed_out", owner=person).exists()

    def test_the_last_operator_stays(self, client, operator):
        for name in ("revoke-staff", "deactivate"):
            told = do(client, name, operator)
            assert "last operator" in told.text

        operator.refresh_from_db()
        assert operator.is_active
        assert operator.is_superuser

    def test_many_are_done_one_by_one_and_each_is_told(self, client, operator):
        good, gone = make_person("good@example.com"), make_person("gone@example.com")
        User.objects.filter(pk=gone.pk).update(is_active=False, erased_at=timezone.now())

        told = do(client, "reactivate", good, gone)

        assert "gone@example.com: This person is deleted." in told.text
        assert "good@example.com: active again." in told.text

    def test_the_list_leads_to_the_question(self, client, operator):
        person = make_person()

        answer = client.post(
            reverse("admin:accounts_user_changelist"),
            {"action": "deactivate", "_selected_action": [person.pk]},
        )

        assert answer.status_code == 302
        assert answer.url.endswith(f"deeds/deactivate/?ids={person.pk}")
        assert User.objects.get(pk=person.pk).is_active


class TestPermission:
    DEEDS = (
        ("deactivate", User, "accounts.view_user"),
        ("edit", Strategy, "strategies.view_strategy"),
        ("price", Strategy, "strategies.view_strategy"),
        ("disable", ExchangeAccount, "exchanges.view_exchangeaccount"),
        ("cancel", BacktestRun, "backtesting.view_backtestrun"),
        ("extend", Subscription, "billing.view_subscription"),
        ("limits", Plan, "billing.view_plan"),
    )

    @pytest.mark.parametrize(
        ("name", "model", "looks"), DEEDS, ids=lambda value: str(getattr(value, "__name__", value))
    )
    def test_staff_who_may_only_look_are_refused(self, client, name, model, looks):
        make_catalogue()
        products.sync_plans(now=timezone.now())
        helper = make_person("helper@example.com", is_staff=True)
        codename = looks.partition(".")[2]
        helper.user_permissions.add(Permission.objects.get(codename=codename))
        sign_in_operator(client, helper)
        options = model._meta
        listing = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
        address = reverse(f"admin:{options.app_label}_{options.model_name}_deed", args=[name])

        assert client.get(listing).status_code == 200
        assert client.get(f"{address}?ids=1").status_code == 403
        assert client.post(f"{address}?ids=1").status_code == 403
        assert f'value="{name}"' not in client.get(listing).text

    def test_people_and_strangers_are_refused(self, client):
        person = make_person()
        address = address_of("deactivate", person)
        assert client.post(address).status_code == 302
        client.force_login(person)
        assert client.post(address).status_code in {302, 403, 404}

        person.refresh_from_db()
        assert person.is_active

    @pytest.mark.parametrize("query", ["", "?ids=", "?ids=x", "?ids=999999999", "?ids=1;drop"])
    def test_rows_that_are_not_there_are_not_found(self, client, operator, query):
        address = reverse("admin:accounts_user_deed", args=["deactivate"])

        assert client.get(f"{address}{query}").status_code == 404

    def test_a_deed_that_is_none_is_not_found(self, client, operator):
        assert client.get(address_of("explode", operator)).status_code == 404

    def test_more_than_a_hundred_rows_are_not_one_click(self, client, operator):
        ids = ",".join(str(number) for number in range(101))
        address = reverse("admin:accounts_user_deed", args=["deactivate"])

        assert client.get(f"{address}?ids={ids}").status_code == 404


class TestStrategies:
    @pytest.fixture
    def strategy(self, operator) -> Strategy:
        make_catalogue()
        return Strategy.objects.get(slug="ema-crossover")

    def test_an_entry_is_edited(self, client, strategy):
        told = do(client, "edit", strategy, name="Two averages", position="3")

        strategy.refresh_from_db()
        assert (strategy.name, strategy.position) == ("Two averages", 3)
        assert "saved" in told.text
        assert AuditEntry.objects.get(verb="strategy.edited").detail["old"]["position"] == 100

    def test_a_bad_entry_comes_back_with_what_is_wrong(self, client, strategy):
        answer = do(client, "edit", strategy, name="x" * 101)

        assert "at most 100 characters" in answer.text
        strategy.refresh_from_db()
        assert strategy.name == "EMA crossover"

    def test_it_is_retired_offered_and_reset(self, client, strategy):
        do(client, "edit", strategy, name="Two averages")
        for name, expected in (("retire", False), ("activate", True)):
            do(client, name, strategy)
            strategy.refresh_from_db()
            assert strategy.is_active is expected
        do(client, "reset", strategy)

        strategy.refresh_from_db()
        assert strategy.name == "EMA crossover"

    def test_a_price_is_set_and_ended(self, client, strategy):
        do(client, "price", strategy, amount="19.50", currency="eur", interval="MONTH")
        price = Price.objects.get()
        assert (price.amount, price.currency, price.valid_to) == (19.5, "EUR", None)

        do(client, "price", strategy, amount="", currency="EUR", interval="MONTH")

        price.refresh_from_db()
        assert price.valid_to is not None
        assert AuditEntry.objects.filter(verb="product.priced").count() == 2

    def test_evidence_is_asked_for(self, client, strategy, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks() as callbacks:
            do(client, "evidence", strategy)

        strategy.refresh_from_db()
        assert strategy.evidence_requested_at is not None
        assert callbacks
        assert AuditEntry.objects.filter(verb="strategy.evidence_requested").exists()


class TestBilling:
    def test_a_grant_that_is_sent_twice_is_one(self, client, operator):
        make_catalogue()
        person = make_person()
        address = address_of("grant", model=Subscription)
        shown = client.get(address).context["form"]
        sent = {
            "email": "ADA@example.com",
            "product": "strategy:ema-crossover",
            "months": "2",
            "note": "Thanks",
            "request_key": shown["request_key"].value(),
        }

        first = client.post(address, sent, follow=True)
        second = client.post(address, sent, follow=True)

        subscription = Subscription.objects.get(owner=person)
        assert subscription.grants.get().note == "Thanks"
        assert subscription.ends_at is not None
        assert subscription.ends_at > timezone.now() + timedelta(days=55)
        assert "Granted: EMA crossover, until" in first.text
        assert "Granted" in second.text

    def test_nobody_is_told_whom_they_cannot_find(self, client, operator):
        make_catalogue()

        answer = client.post(
            address_of("grant", model=Subscription),
            {"email": "nobody@example.com", "product": "strategy:ema-crossover"},
        )

        assert "No active person is registered" in answer.text

    def test_a_subscription_is_extended_deactivated_and_given_back(self, client, operator):
        make_catalogue()
        subscription = billing.give(make_person(), now=timezone.now())
        before = subscription.ends_at
        assert before is not None

        do(client, "extend", subscription, months="1", note="More")
        subscription.refresh_from_db()
        assert subscription.ends_at is not None
        assert subscription.ends_at > before
        do(client, "deactivate", subscription, note="Abuse")
        subscription.refresh_from_db()
        assert subscription.status == "DEACTIVATED"
        do(client, "reactivate", subscription)

        subscription.refresh_from_db()
        assert subscription.status == "ACTIVE"
        for verb in ("subscription.deactivated", "subscription.reactivated"):
            assert AuditEntry.objects.filter(verb=verb).count() == 1

    def test_what_a_plan_allows_is_changed(self, client, operator):
        products.sync_plans(now=timezone.now())
        plan = Plan.objects.get(is_default=True)

        do(client, "limits", plan, backtests_per_day="7", live_deployments="")

        plan.refresh_from_db()
        assert (plan.backtests_per_day, plan.live_deployments) == (7, None)
        detail = AuditEntry.objects.get(verb="plan.limits_changed").detail
        assert detail["new"]["backtests_per_day"] == 7

    def test_the_default_plan_cannot_cost_anything(self, client, operator):
        products.sync_plans(now=timezone.now())
        product = Product.objects.get(plan__is_default=True)

        told = do(client, "price", product, amount="5", interval="MONTH")

        assert "cannot have a price" in told.text


class TestExchangeAccounts:
    @pytest.fixture
    def account(self, operator) -> ExchangeAccount:
        instrument = trading_factory.make_memory_instrument()
        return trading_factory.make_account(
            make_person(), instrument, kind=AccountKind.LIVE, now=timezone.now()
        )

    def test_a_disabled_one_is_of_no_use_until_it_is_enabled(self, client, account):
        do(client, "disable", account, note="Complaint of the venue")

        account.refresh_from_db()
        assert not account.is_usable
        assert (account.status, account.status_code) == ("DISABLED", "account_disabled")
        entry = AuditEntry.objects.get(verb="exchange_account.disabled")
        assert entry.detail == {"note": "Complaint of the venue"}
        assert OutboxEvent.objects.filter(name="exchanges.account-invalidated").exists()
        with pytest.raises(AccountDisabledError):
            account_tests.request_test(
                owner=account.owner, account_public_id=account.public_id, by=BY, now=timezone.now()
            )

        do(client, "enable", account)

        account.refresh_from_db()
        assert account.is_being_tested
        assert account.disabled_at is None

    def test_a_paper_account_works_at_once_again(self, client, account):
        ExchangeAccount.objects.filter(pk=account.pk).update(kind=AccountKind.PAPER)
        do(client, "disable", account)

        do(client, "enable", account)

        account.refresh_from_db()
        assert account.is_usable

    def test_a_closed_one_stays_closed(self, client, account):
        ExchangeAccount.objects.filter(pk=account.pk).update(closed_at=timezone.now())

        assert "closed" in do(client, "disable", account).text


def test_a_backtest_is_canceled(client, operator):
    make_market()
    run = make_run(billing.with_plan(make_person()))

    do(client, "cancel", run)

    run.refresh_from_db()
    assert run.status == "CANCELED"
    entry = AuditEntry.objects.get(verb="backtest.canceled")
    assert entry.actor_identifier == str(operator.pk)
    assert "over already" in do(client, "cancel", run).text
