"""The JSON API of the referrals."""

from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services import personal_tokens
from foundation.audit import Actor
from referrals.models import Payout
from tests.factories.referrals import bring, code_of, earn, make_referrer, pay

pytestmark = pytest.mark.django_db

ROOT = "/api/v1/referrals"
BODY = {"currency": "USD", "method": "BANK", "destination": "DE89 3704 0044"}


@pytest.fixture
def person(db: None) -> User:
    return make_referrer()


@pytest.fixture
def api(person: User) -> APIClient:
    """A program that is signed in as that person."""
    client = APIClient()
    client.force_login(person)
    return client


def ask(api: APIClient, body: object = BODY, *, key: str | None = None):
    headers = {"Idempotency-Key": key or str(uuid4())}
    return api.post(f"{ROOT}/payouts", body, format="json", headers=headers)


class TestMe:
    def test_it_tells_the_link_the_rules_and_what_came_of_it(self, api, person):
        bring(person)
        earn(person, "500")

        answer = api.get(f"{ROOT}/me").json()

        assert answer == {
            "code": code_of(person),
            "link": f"{settings.SITE_URL}/r/{code_of(person)}/",
            "rate": "0.1",
            "payments": "FIRST",
            "minimum_payout": "20",
            "sign_ups": 2,
            "conversions": 1,
            "balances": [
                {
                    "currency": "USD",
                    "pending": "0",
                    "payable": "50",
                    "requested": "0",
                    "paid": "0",
                    "earned": "50",
                }
            ],
        }

    def test_parameters_are_refused(self, api):
        assert api.get(f"{ROOT}/me?code=x").json()["code"] == "invalid_parameter"


class TestCommissions:
    def test_they_are_paged_and_filtered_and_name_nobody(self, api, person):
        for _ in range(3):
            payer = bring(person)
            pay(payer)
        earn(person)

        first = api.get(f"{ROOT}/commissions?limit=3&status=PAYABLE").json()
        rest = api.get(first["next"]).json()

        assert len(first["results"]) + len(rest["results"]) == 4
        assert rest["next"] is None
        assert payer.email not in str(first) + str(rest)
        assert api.get(f"{ROOT}/commissions?status=PENDING").json()["results"] == []

    def test_only_ones_own(self, api):
        earn(make_referrer("other@example.com"))

        assert api.get(f"{ROOT}/commissions").json()["results"] == []

    def test_an_unknown_state_is_refused(self, api):
        assert api.get(f"{ROOT}/commissions?status=GONE").status_code == 400


class TestPayouts:
    def test_all_that_is_payable_is_asked_for(self, api, person):
        earn(person)

        response = ask(api)

        answer = response.json()
        assert response.status_code == 201
        assert (answer["amount"], answer["status"]) == ("50", "REQUESTED")
        assert api.get(f"{ROOT}/payouts").json()["results"] == [answer]

    def test_the_same_request_twice_is_one(self, api, person):
        earn(person)
        key = str(uuid4())

        answers = [ask(api, key=key).json() for _ in range(2)]

        assert answers[0] == answers[1]
        assert Payout.objects.count() == 1

    def test_a_second_one_waits_for_the_first(self, api, person):
        earn(person)
        ask(api)

        response = ask(api)

        assert (response.status_code, response.json()["code"]) == (409, "payout_open")

    def test_too_little_is_refused(self, api, person):
        earn(person, "10")

        response = ask(api)

        assert (response.status_code, response.json()["code"]) == (422, "below_minimum_payout")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"currency": None}, "currency"),
            ({"currency": "\x00"}, "currency"),
            ({"method": "CASH"}, "method"),
            ({"destination": ""}, "destination"),
            ({"destination": "abc"}, "destination"),
            ({"destination": "x" * 201}, "destination"),
            ({"amount": "10000"}, "amount"),
        ],
    )
    def test_each_bad_input_is_named(self, api, person, change, field):
        earn(person)

        response = ask(api, BODY | change)

        assert response.status_code == 400
        assert [problem["field"] for problem in response.json()["errors"]] == [field]
        assert not Payout.objects.exists()

    def test_a_key_is_needed(self, api, person):
        response = api.post(f"{ROOT}/payouts", BODY, format="json")

        assert response.json()["code"] == "idempotency_key_required"


class TestTokens:
    def test_a_token_may_read_and_never_ask_for_money(self, person):
        earn(person)
        _, text = personal_tokens.create_token(
            owner=person,
            name="Sheet",
            scopes=["read:billing"],
            expires_in_days=30,
            by=Actor.person(person.pk),
            now=timezone.now(),
        )
        api = APIClient()
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")

        assert api.get(f"{ROOT}/me").status_code == 200
        assert ask(api).json()["code"] == "insufficient_scope"
