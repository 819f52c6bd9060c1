"""The page of a referrer, and the form by which a payout is asked for."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from referrals.models import Payout
from referrals.services import payouts
from tests.accounts.visits import confirm_it_is_me, sign_in, signed_in
from tests.factories.accounts import PASSWORD, make_person
from tests.factories.referrals import (
    OPERATOR,
    PAID_AT,
    PAYABLE_AT,
    ask,
    bring,
    code_of,
    earn,
    make_referrer,
    pay,
)

pytestmark = pytest.mark.django_db

PAGE = "/referrals/"
FORM = {"currency": "USD", "method": "CRYPTO", "destination": "bc1q-example, Bitcoin"}


@pytest.fixture
def person(db: None, client: Client) -> User:
    """A referrer who is signed in."""
    person = make_referrer()
    sign_in(client, person.email)
    return person


def text_of(client: Client, address: str = PAGE) -> str:
    """Return the words of the page, with single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", client.get(address).text).replace("\xa0", " ").split())


class TestOverview:
    def test_an_empty_one_shows_the_link_and_the_rules(self, client, person):
        text = client.get(PAGE).text

        assert f'/r/{code_of(person)}/"' in text
        assert "No commissions yet" in text
        words = text_of(client)
        assert "10.00% of their first payment" in words
        assert "Once at least 20.00 USD are payable" in words

    def test_a_person_without_a_code_yet_sees_that(self, client):
        client.force_login(make_person("b@example.com"))

        assert "Your link is being made" in client.get(PAGE).text

    def test_it_tells_how_many_came_and_paid_and_never_who(self, client, person):
        payer = bring(person)
        bring(person)
        pay(payer)

        page = client.get(PAGE)

        reach = page.context["page"].reach
        assert (reach.sign_ups, reach.conversions) == (2, 1)
        assert payer.email not in page.text
        assert "9.68" in page.text

    def test_amounts_stand_by_month_and_currency(self, client, person):
        earn(person, "500")
        earn(person, "100", currency="EUR")
        pay(bring(person), "100", at=PAID_AT + timedelta(days=40))
        ask(person)

        months = client.get(PAGE).context["page"].months

        assert [(row.label, row.sign_ups, row.conversions) for row in months] == [
            ("February 2026", 0, 1),
            ("January 2026", 3, 2),
        ]
        assert [(each.currency, each.value) for each in months[1].earned] == [
            ("EUR", 10),
            ("USD", 50),
        ]

    def test_many_commissions_are_paged(self, client, person):
        payer = bring(person)
        for number in range(1, 26):
            pay(bring(person) if number % 5 else payer)

        assert len(client.get(PAGE).context["page"].commissions) == 20
        assert len(client.get(f"{PAGE}?page=2").context["page"].commissions) == 5
        assert client.get(f"{PAGE}?page=x").status_code == 200

    def test_the_queries_do_not_grow_with_the_rows(
        self, client, person, django_assert_max_num_queries
    ):
        for _ in range(12):
            earn(person)

        with django_assert_max_num_queries(30):
            client.get(PAGE)


class TestPayout:
    @pytest.fixture(autouse=True)
    def _proved(self, client, person):
        confirm_it_is_me(client)

    def test_what_is_payable_is_asked_for(self, client, person):
        earn(person)
        assert "Ask for all that is payable" in client.get(PAGE).text

        response = client.post(f"{PAGE}payouts/", FORM, follow=True)

        assert "You asked for 50.00 USD." in response.text
        assert Payout.objects.get().destination == "bc1q-example, Bitcoin"
        assert "Ask for all that is payable" not in response.text

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"destination": ""}, "This field is required"),
            ({"destination": "abc"}, "Say where the money should go"),
            ({"method": "CASH"}, "Select a valid choice"),
            ({"currency": "EUR"}, "Nothing can be paid out in this currency"),
            ({"currency": "\x00"}, "Nothing can be paid out in this currency"),
        ],
    )
    def test_what_is_wrong_is_said_and_the_entries_stay(self, client, person, change, complaint):
        earn(person)

        response = client.post(f"{PAGE}payouts/", FORM | change)

        assert response.status_code == 422
        assert complaint in response.text
        assert not Payout.objects.exists()

    def test_too_little_is_refused_whatever_is_sent(self, client, person):
        earn(person, "50")

        response = client.post(f"{PAGE}payouts/", FORM)

        assert response.status_code == 422
        assert "the smallest payout is 20.00 USD" in response.text

    def test_the_history_tells_the_reference_and_the_reason(self, client, person):
        earn(person)
        payouts.send_payout(
            payout_id=ask(person).pk, reference="TR-77", by=OPERATOR, now=PAYABLE_AT
        )
        earn(person)
        payouts.reject_payout(
            payout_id=ask(person).pk, note="No such account.", by=OPERATOR, now=PAYABLE_AT
        )

        text = client.get(PAGE).text

        assert "TR-77" in text
        assert "No such account." in text

    def test_without_a_fresh_proof_the_password_is_asked_for_and_the_request_goes_on(self, person):
        earn(person)
        browser = signed_in(person)

        address = browser.post(f"{PAGE}payouts/", FORM)["Location"]
        assert address.startswith("/accounts/reauthenticate/")
        assert not Payout.objects.exists()
        browser.post(address, {"password": PASSWORD, "next": f"{PAGE}payouts/"})

        assert Payout.objects.get().amount == 50

    def test_it_is_asked_for_by_post(self, client, person):
        assert client.get(f"{PAGE}payouts/").status_code == 405
