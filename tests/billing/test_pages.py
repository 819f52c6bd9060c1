"""The usage page, and the buttons of a subscription."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import transaction
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import User
from billing.models import Subscription
from billing.services import products, subscriptions
from billing.web.presenters import present_offer, present_offers
from tests.exchanges.owned_objects import make_connected_account
from tests.factories import billing as factory
from tests.factories.accounts import make_operator, make_person
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db

CODE = "strategy:ema-crossover"
USAGE = "/billing/usage/"
SUBSCRIBE = "/billing/subscribe/"


@pytest.fixture
def person(db: None) -> User:
    """Somebody with the free plan, beside a filled catalogue."""
    make_catalogue()
    products.sync_plans(now=factory.LONG_AGO)
    return make_person()


@pytest.fixture
def browser(person: User) -> Client:
    """The browser of that person."""
    client = Client()
    client.force_login(person)
    return client


def make_product(slug: str) -> None:
    """Add a strategy of that name to what is offered."""
    with transaction.atomic():
        factory.make_strategy_product(slug, name=slug)


def text_of(response) -> str:
    """Return the words of a page, with single spaces."""
    return " ".join(response.content.decode().split())


class TestUsage:
    def test_a_new_person_sees_the_free_plan_and_its_limits(self, browser):
        page = text_of(browser.get(USAGE))

        assert "Free plan" in page
        assert "Everybody has this plan, for ever." in page
        assert "Starts again at 00:00 UTC." in page
        assert "No subscriptions yet" in page

    def test_what_is_used_stands_beside_what_is_allowed(self, browser, person):
        make_connected_account(person)

        page = browser.get(USAGE).context["page"]

        rows = {row.title: (row.used, row.allowed) for row in page.limits}
        assert rows["Exchange accounts"] == (1, 3)
        assert rows["Backtests today"] == (0, 20)
        assert rows["Bars in one backtest"] == (None, 500_000)

    def test_a_plan_that_was_given_says_until_when(self, browser, person):
        subscription = factory.give(person, "plan:pro", now=timezone.now())

        page = browser.get(USAGE).context["page"]

        assert (page.plan, page.ends_at) == ("Pro", subscription.ends_at)
        assert page.reason == "An operator gave it to you."
        assert [plan.name for plan in page.plans if plan.is_mine] == ["Pro"]

    def test_an_operator_has_the_highest_plan(self, person):
        client = Client()
        client.force_login(make_operator())

        page = client.get(USAGE).context["page"]

        assert page.plan == "Desk"
        assert "look after this installation" in page.reason
        assert {row.allowed for row in page.limits} == {None}

    def test_subscriptions_stand_with_their_state_and_what_can_be_done(self, browser, person):
        now = timezone.now()
        factory.give(person, now=now - timedelta(days=60))
        with_end = factory.give(person, "plan:pro", now=now)

        rows = browser.get(USAGE).context["page"].subscriptions

        assert [(row.name, row.state.label) for row in rows] == [
            ("Pro", "Active"),
            ("EMA crossover", "Expired"),
        ]
        assert rows[0].ends_at == with_end.ends_at
        assert (rows[0].can_cancel, rows[0].can_begin) == (True, False)
        # The sweep has not come by yet: the page goes by the end.
        assert rows[1].over_at == rows[1].ends_at
        assert (rows[1].can_cancel, rows[1].can_begin) == (False, True)

    def test_each_grant_is_in_the_history(self, browser, person):
        now = timezone.now()
        factory.give(person, now=now)
        factory.give(person, months=2, now=now)

        grants = browser.get(USAGE).context["page"].grants

        assert [grant.source for grant in grants] == ["Given by an operator"] * 2
        assert grants[0].from_at == grants[1].to_at

    @pytest.mark.parametrize("count", [1, 30])
    def test_it_takes_as_many_queries_for_one_as_for_many(
        self, browser, person, count, django_assert_max_num_queries
    ):
        for number in range(count):
            products_code = f"strategy:number-{number}"
            make_product(f"number-{number}")
            factory.give(person, products_code, now=timezone.now())

        with django_assert_max_num_queries(18):
            browser.get(USAGE)

    def test_nothing_of_another_person_is_shown(self, browser):
        factory.give(make_person("mallory@example.com"), now=timezone.now())

        page = browser.get(USAGE).context["page"]

        assert (page.subscriptions, page.grants) == ([], [])


class TestSubscribing:
    def test_a_click_subscribes_and_goes_back(self, browser, person):
        data = {"product": CODE, "next": "/strategies/ema-crossover/"}

        response = browser.post(SUBSCRIBE, data)

        assert response.status_code == HTTPStatus.FOUND
        assert response["Location"] == "/strategies/ema-crossover/"
        assert "You are subscribed to “EMA crossover”." in text_of(browser.get(USAGE))
        assert Subscription.objects.get().owner == person

    def test_a_second_click_makes_no_second_subscription(self, browser):
        for _ in range(2):
            browser.post(SUBSCRIBE, {"product": CODE})

        assert Subscription.objects.get().grants.count() == 1

    def test_what_has_a_price_says_what_to_do(self, browser):
        factory.set_price()

        response = browser.post(SUBSCRIBE, {"product": CODE}, follow=True)

        assert "Buy it on its page, or ask an operator to grant it." in text_of(response)
        assert not Subscription.objects.exists()

    @pytest.mark.parametrize("product", ["", "strategy:nothing", "plan:\0free", "x" * 500])
    def test_what_does_not_exist_is_not_found(self, browser, product):
        assert browser.post(SUBSCRIBE, {"product": product}).status_code == 404

    @pytest.mark.parametrize(
        "next_page", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"]
    )
    def test_it_never_leads_away(self, browser, next_page):
        response = browser.post(SUBSCRIBE, {"product": CODE, "next": next_page})

        assert response["Location"] == USAGE


class TestCanceling:
    def test_a_free_one_ends_now(self, browser, person):
        subscription = factory.subscribe(person)

        response = browser.post(f"/billing/subscriptions/{subscription.public_id}/cancel/")

        assert response["Location"] == USAGE
        page = browser.get(USAGE)
        assert "Your subscription to “EMA crossover” has ended." in text_of(page)
        assert [row.state.label for row in page.context["page"].subscriptions] == ["Canceled"]

    def test_one_with_an_end_can_be_kept_after_all(self, browser, person):
        subscription = factory.give(person, now=timezone.now())
        browser.post(f"/billing/subscriptions/{subscription.public_id}/cancel/")
        row = browser.get(USAGE).context["page"].subscriptions[0]
        assert (row.state.label, row.can_begin) == ("Canceled, until its end", True)

        browser.post(SUBSCRIBE, {"product": CODE})

        row = browser.get(USAGE).context["page"].subscriptions[0]
        assert (row.state.label, row.can_cancel) == ("Active", True)

    def test_what_is_over_says_so(self, browser, person):
        subscription = factory.give(person, now=factory.LONG_AGO)

        response = browser.post(
            f"/billing/subscriptions/{subscription.public_id}/cancel/", follow=True
        )

        assert "This subscription has ended already." in text_of(response)


class TestOffer:
    def panel(self, person, *, now=None) -> str:
        offer = present_offer(person, product_code=CODE, now=now or timezone.now())
        context = {"offer": offer, "next": "/strategies/ema-crossover/"}
        request = RequestFactory().get("/")
        request.user = person
        return " ".join(render_to_string("billing/_subscribe.html", context, request).split())

    def test_a_free_strategy_can_be_subscribed_to(self, person):
        panel = self.panel(person)

        assert "Free" in panel
        assert 'value="strategy:ema-crossover"' in panel
        assert "Subscribe" in panel

    def test_who_has_it_can_give_it_up(self, person):
        factory.subscribe(person)

        panel = self.panel(person)

        assert "Active" in panel
        assert "Unsubscribe" in panel

    def test_a_price_is_shown_with_the_way_to_buy(self, person):
        price = factory.set_price()

        panel = self.panel(person)

        assert price is not None
        assert "20.00" in panel
        assert "USD" in panel
        assert "Buy a month" in panel
        assert f"/billing/checkout/?price={price.public_id}" in panel
        assert "Subscribe" not in panel

    def test_where_nothing_is_sold_an_operator_gives_it(self, person, settings):
        settings.PAYMENT_PROVIDER = "none"
        factory.set_price()

        panel = self.panel(person)

        assert "Ask an operator" in panel
        assert "Buy" not in panel

    def test_time_that_was_given_is_shown_with_its_end(self, person):
        factory.set_price()
        factory.give(person, now=timezone.now())

        panel = self.panel(person)

        assert "until <time" in panel
        assert "is not extended" in panel

    def test_what_an_operator_took_away_cannot_be_taken(self, person):
        subscription = factory.subscribe(person)
        subscriptions.deactivate(
            subscription_id=subscription.pk, by=factory.STAFF, now=timezone.now()
        )

        panel = self.panel(person)

        assert "An operator has deactivated your subscription" in panel
        assert "<form" not in panel

    def test_what_is_unknown_is_no_offer(self, person):
        assert present_offer(person, product_code="strategy:nothing", now=timezone.now()) is None

    def test_many_offers_take_three_queries(self, person, django_assert_num_queries):
        codes = [CODE, "plan:pro", "plan:desk"]

        with django_assert_num_queries(3):
            offers = present_offers(person, product_codes=codes, now=timezone.now())

        assert set(offers) == set(codes)
        assert [offers[code].can_subscribe for code in codes] == [True, False, False]
