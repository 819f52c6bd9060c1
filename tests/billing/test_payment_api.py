"""Ordering and looking at payments by the API."""

from uuid import uuid4

import pytest
from django.test import Client

from billing.models import Payment
from billing.services import checkout
from tests.billing.buying import NOW, buy, make_price, order
from tests.factories.accounts import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(client):
    person = make_person()
    client.force_login(person)
    return person


def place(client: Client, body: object, key: str | None = None):
    return client.post(
        "/api/v1/checkouts",
        body,
        content_type="application/json",
        headers={"Idempotency-Key": key or str(uuid4())},
    )


class TestCheckouts:
    def test_an_order_is_made_and_followed_to_its_address(self, client, person):
        price = make_price(amount="29.5")

        answer = place(client, {"price": str(price.public_id)})

        assert answer.status_code == 201
        body = answer.json()
        assert (body["amount"], body["currency"], body["status"]) == ("29.5", "USD", "CREATED")
        assert body["checkout_url"] is None
        checkout.open_checkout(payment_id=Payment.objects.get().pk, now=NOW)
        followed = client.get(answer.headers["Location"]).json()
        assert followed["status"] == "PENDING"
        assert followed["checkout_url"].startswith("http://testserver/billing/development/")

    def test_the_plans_name_the_ids_of_prices(self, client, person):
        price = make_price()

        plans = client.get("/api/v1/plans").json()["results"]

        ids = [each["id"] for plan in plans for each in plan["prices"]]
        assert ids == [str(price.public_id)]

    def test_a_repeat_is_one_order(self, client, person):
        body, key = {"price": str(make_price().public_id)}, str(uuid4())

        first, again = place(client, body, key), place(client, body, key)

        assert first.json()["id"] == again.json()["id"]
        assert Payment.objects.count() == 1

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({}, 400),
            ({"price": "x"}, 400),
            ({"price": "0f0f0f0f-0000-4000-8000-000000000000", "amount": "0.01"}, 400),
            ({"price": "0f0f0f0f-0000-4000-8000-000000000000"}, 404),
        ],
    )
    def test_what_cannot_be_ordered_is_refused(self, client, person, body, status):
        assert place(client, body).status_code == status
        assert not Payment.objects.exists()

    def test_the_key_is_needed(self, client, person):
        answer = client.post(
            "/api/v1/checkouts",
            {"price": str(make_price().public_id)},
            content_type="application/json",
        )

        assert answer.json()["code"] == "idempotency_key_required"


class TestPayments:
    def test_they_are_listed_in_pages_the_last_first(self, client, person):
        price = make_price()
        first, second = buy(person, price), order(person, price)

        page = client.get("/api/v1/payments?limit=1").json()
        rest = client.get(page["next"]).json()

        assert [row["id"] for row in page["results"]] == [str(second.public_id)]
        assert [row["id"] for row in rest["results"]] == [str(first.public_id)]
        assert rest["results"][0]["receipt"] == first.receipt_number

    def test_somebody_elses_is_not_found(self, client, person):
        theirs = buy(make_person("ben@example.com"))

        assert client.get(f"/api/v1/payments/{theirs.public_id}").status_code == 404
        assert client.get("/api/v1/payments").json()["results"] == []
