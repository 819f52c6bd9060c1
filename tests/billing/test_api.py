"""The JSON API of subscriptions, plans and usage."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from billing.models import Grant, Subscription
from billing.services import products
from tests.factories import backtesting as backtest_factory
from tests.factories import billing as factory
from tests.factories.accounts import make_person
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db

CODE = "strategy:ema-crossover"
ROOT = "/api/v1/subscriptions"


@pytest.fixture
def person(db: None) -> User:
    """Somebody with the free plan, beside a filled catalogue."""
    make_catalogue()
    products.sync_plans(now=factory.LONG_AGO)
    return make_person()


@pytest.fixture
def api(person: User) -> APIClient:
    """A program that is signed in as that person."""
    client = APIClient()
    client.force_login(person)
    return client


def subscribe(api: APIClient, product: object = CODE, *, key: str | None = None, **fields):
    headers = {"Idempotency-Key": key or str(uuid4())}
    return api.post(ROOT, {"product": product, **fields}, format="json", headers=headers)


class TestSubscribing:
    def test_the_answer_is_the_subscription(self, api, person):
        response = subscribe(api)

        answer = response.json()
        assert response.status_code == 200
        assert (answer["product"], answer["status"]) == (CODE, "ACTIVE")
        assert (answer["entitled"], answer["ends_at"]) == (True, None)
        assert response["Location"] == f"{ROOT}/{answer['id']}"
        assert api.get(response["Location"]).json() == answer

    def test_the_same_request_twice_is_one(self, api):
        key = str(uuid4())

        answers = [subscribe(api, key=key).json() for _ in range(2)]

        assert answers[0] == answers[1]
        assert Grant.objects.get().request_key == key

    def test_a_key_is_required(self, api):
        response = api.post(ROOT, {"product": CODE}, format="json")

        assert response.status_code == 400
        assert response.json()["code"] == "idempotency_key_required"
        assert not Subscription.objects.exists()

    def test_what_has_a_price_answers_402(self, api):
        factory.set_price()

        problem = subscribe(api).json()

        assert (problem["status"], problem["code"]) == (402, "payment_required")
        assert "Buy it on its page" in problem["detail"]

    @pytest.mark.parametrize(
        ("product", "status", "code"),
        [
            ("strategy:nothing", 404, "product_not_found"),
            ("plan:pro", 409, "not_on_offer"),
            ("", 400, "invalid_input"),
            (7, 400, "invalid_input"),
            (None, 400, "invalid_input"),
            ("x" * 101, 400, "invalid_input"),
        ],
    )
    def test_what_cannot_be_subscribed_to_is_refused(self, api, product, status, code):
        problem = subscribe(api, product).json()

        assert (problem["status"], problem["code"]) == (status, code)

    def test_unknown_fields_are_refused(self, api):
        problem = subscribe(api, months=12).json()

        assert [(error["field"], error["code"]) for error in problem["errors"]] == [
            ("months", "unknown_field")
        ]


class TestCanceling:
    def test_it_ends_now_and_a_repeat_answers_the_same(self, api):
        address = f"{ROOT}/{subscribe(api).json()['id']}/cancel"

        first, second = (api.post(address, {}, format="json").json() for _ in range(2))

        assert first == second
        assert (first["status"], first["entitled"]) == ("CANCELED", False)

    def test_one_with_an_end_is_ending(self, api, person):
        subscription = factory.give(person, now=timezone.now())

        answer = api.post(f"{ROOT}/{subscription.public_id}/cancel", {}, format="json").json()

        assert (answer["status"], answer["entitled"]) == ("ENDING", True)

    def test_what_is_over_is_a_conflict(self, api, person):
        subscription = factory.give(person, now=factory.LONG_AGO)

        response = api.post(f"{ROOT}/{subscription.public_id}/cancel", {}, format="json")

        assert (response.status_code, response.json()["code"]) == (409, "subscription_over")


class TestReading:
    def test_the_last_made_comes_first_page_by_page(self, api, person):
        factory.give(person, "plan:pro", now=timezone.now())
        factory.give(person, now=timezone.now() - timedelta(days=60))

        page = api.get(f"{ROOT}?limit=1").json()
        rest = api.get(page["next"]).json()

        assert [row["product"] for row in page["results"]] == [CODE]
        assert page["results"][0]["status"] == "EXPIRED"
        assert [row["product"] for row in rest["results"]] == ["plan:pro"]
        assert rest["next"] is None

    def test_nothing_of_another_person_is_listed(self, api):
        factory.subscribe(make_person("mallory@example.com"))

        assert api.get(ROOT).json()["results"] == []

    def test_plans_are_listed_with_limits_and_prices(self, api):
        price = factory.set_price("plan:pro", "29")
        assert price is not None

        plans = api.get("/api/v1/plans").json()["results"]

        assert [plan["product"] for plan in plans] == ["plan:free", "plan:pro", "plan:desk"]
        assert plans[0]["is_default"] is True
        assert plans[0]["limits"]["paper_deployments"] == 3
        assert plans[1]["prices"] == [
            {"id": str(price.public_id), "amount": "29", "currency": "USD", "interval": "MONTH"}
        ]
        assert set(plans[2]["limits"].values()) == {None}

    def test_usage_is_counted(self, api, person):
        backtest_factory.make_market()
        backtest_factory.make_run(person, now=timezone.now())

        usage = api.get("/api/v1/usage").json()

        assert usage["plan"] == {"product": "plan:free", "name": "Free"}
        limits = {row["limit"]: (row["used"], row["allowed"]) for row in usage["limits"]}
        assert limits["backtests_per_day"] == (1, 20)
        assert limits["bars_per_run"] == (None, 500_000)

    @pytest.mark.parametrize("path", ["usage", "plans", "subscriptions", "payments"])
    def test_unknown_parameters_are_refused(self, api, path):
        response = api.get(f"/api/v1/{path}?page=2")

        assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")
