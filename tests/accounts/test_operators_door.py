"""The operators' pages open to staff alone, after their second factor."""

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tests.accounts.visits import enter_code, sign_in, signed_in
from tests.factories.accounts import (
    code_now,
    give_second_factor,
    make_operator,
    make_person,
    sign_in_operator,
)

pytestmark = pytest.mark.django_db

ADMIN = "/admin/"
PEOPLE = "/admin/accounts/user/"
ACTIVATE = "/accounts/2fa/totp/activate/"


@pytest.fixture(autouse=True)
def _no_code_was_used():
    """Codes are remembered for half a minute, and the same person comes again in the next test."""
    cache.clear()


class TestWhoComesIn:
    @pytest.mark.parametrize("path", [ADMIN, PEOPLE, "/admin/login/"])
    def test_a_stranger_is_led_to_our_own_sign_in(self, client, path):
        response = client.get(path)

        assert response.url.startswith("/accounts/login/?next=/admin/")

    def test_the_admin_takes_no_password_of_its_own(self, client):
        make_operator()

        response = client.post(
            "/admin/login/", {"username": "operator@example.com", "password": "quiet-harbor-71"}
        )

        assert response.url.startswith("/accounts/login/")

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_a_person_who_is_no_operator_finds_nothing(self, method):
        browser = signed_in(make_person())

        assert getattr(browser, method)(PEOPLE).status_code == 404

    @pytest.mark.parametrize("path", [ADMIN, PEOPLE, reverse("admin:logout")])
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_an_operator_without_a_second_factor_is_sent_to_set_it_up(self, path, method):
        browser = signed_in(make_operator())

        assert getattr(browser, method)(path).url == ACTIVATE

    def test_an_operator_who_signed_in_with_both_comes_in(self):
        give_second_factor(make_operator())
        browser = Client()
        sign_in(browser, "operator@example.com")
        enter_code(browser)

        assert browser.get(ADMIN).status_code == 200
        assert browser.get("/admin/login/")["Location"] == ADMIN

    def test_one_who_set_it_up_since_shows_a_code_first_and_comes_back(self):
        operator = make_operator()
        browser = signed_in(operator)
        give_second_factor(operator)

        asked = browser.get(PEOPLE)
        back = browser.post(asked["Location"], {"code": code_now(), "next": PEOPLE})

        assert (
            asked["Location"] == f"/accounts/2fa/reauthenticate/?next={PEOPLE.replace('/', '%2F')}"
        )
        assert back["Location"] == PEOPLE
        assert browser.get(PEOPLE).status_code == 200

    def test_one_who_is_an_operator_no_more_is_out_at_once(self, client):
        operator = sign_in_operator(client)
        operator.is_staff = False
        operator.save(update_fields=["is_staff"])

        assert client.get(ADMIN).status_code == 404

    def test_the_proof_belongs_to_its_person(self, client):
        sign_in_operator(client)
        session = client.session
        session["account_authentication_methods_user"] = "999999"
        session.save()

        assert client.get(ADMIN).status_code == 302


def test_a_demo_on_one_machine_may_go_without(settings):
    settings.STAFF_SECOND_FACTOR_REQUIRED = False

    assert signed_in(make_operator()).get(ADMIN).status_code == 200
