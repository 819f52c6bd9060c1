"""Signing up, in and out through the pages."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from foundation.models import AuditEntry, OutboxEvent
from tests.accounts.visits import (
    OTHER_PASSWORD,
    SENT,
    SIGN_IN,
    SIGN_UP,
    is_signed_in,
    link_to,
    mails_to,
    sign_in,
    sign_up,
)
from tests.factories.accounts import PASSWORD, make_person

pytestmark = pytest.mark.django_db


class TestSignUp:
    def test_a_stranger_becomes_a_person_who_proves_the_address_and_signs_in(
        self, client, mailoutbox
    ):
        response = sign_up(client)

        assert (response.status_code, response.url) == (302, SENT)
        assert AuditEntry.objects.filter(verb="person.registered").count() == 1
        assert OutboxEvent.objects.filter(name="accounts.person-registered").count() == 1
        client.post(link_to("ada@example.com", "verify_address", mailoutbox))
        sign_in(client)
        assert is_signed_in(client)

    def test_nobody_signs_in_before_the_address_is_proven(self, client):
        sign_up(client)

        response = sign_in(client)

        assert response.url == SENT
        assert not is_signed_in(client)
        assert mails_to("ada@example.com") == ["verify_address", "verify_address"]

    def test_a_known_address_gets_the_same_answer_and_changes_nothing(self, client):
        make_person("ada@example.com")

        known = sign_up(client, "Ada@Example.com", OTHER_PASSWORD)
        fresh = sign_up(Client(), "grace@example.com", OTHER_PASSWORD)

        assert (known.status_code, known.url) == (fresh.status_code, fresh.url)
        assert known.content == fresh.content
        assert User.objects.filter(email="ada@example.com").count() == 1
        assert User.objects.get(email="ada@example.com").check_password(PASSWORD)

    def test_the_owner_of_a_known_address_is_told_and_a_stranger_is_sent_a_link(self, client):
        make_person("ada@example.com")

        sign_up(client, "Ada@Example.com")
        sign_up(Client(), "grace@example.com")

        assert mails_to("ada@example.com") == ["already_registered"]
        assert mails_to("grace@example.com") == ["verify_address"]

    def test_both_pages_after_it_say_the_same(self, client):
        make_person("ada@example.com")
        stranger = Client()
        sign_up(client)
        sign_up(stranger, "grace@example.com")

        pages = [visitor.get(SENT).content.decode() for visitor in (client, stranger)]

        # The mark against forged requests alone is anybody's own.
        first, second = (re.sub(r"[A-Za-z0-9]{64}", "", page) for page in pages)
        assert first == second

    @pytest.mark.parametrize(
        ("password", "complaint"),
        [
            ("short-1", "at least 10 characters"),
            ("password123456", "too common"),
            ("908174635281", "entirely numeric"),
            ("ada.lovelace", "too similar"),
            ("x" * 257, "at most 256 characters"),
        ],
    )
    def test_a_weak_password_is_refused_with_the_reason(self, client, password, complaint):
        response = sign_up(client, "ada.lovelace@example.com", password)

        assert response.status_code == 200
        assert complaint in response.content.decode()
        assert not User.objects.exists()

    def test_passwords_that_differ_are_refused(self, client):
        response = sign_up(client, password2="something-else-9")

        assert "password2" in response.context["form"].errors
        assert not User.objects.exists()

    @pytest.mark.parametrize(
        "address", ["", "ada", "ada@", "a b@example.com", "x" * 250 + "@e.com"]
    )
    def test_what_is_no_address_is_refused(self, client, address):
        response = sign_up(client, address)

        assert "email" in response.context["form"].errors


class TestSignIn:
    @pytest.mark.parametrize("address", ["ada@example.com", "ADA@Example.com", " ada@example.com "])
    def test_the_address_counts_in_any_case(self, client, address):
        make_person("ada@example.com")

        sign_in(client, address)

        assert is_signed_in(client)

    def test_a_wrong_password_and_an_unknown_address_look_the_same(self, client):
        make_person("ada@example.com")

        wrong = sign_in(client, password="not-this-one-5")
        unknown = sign_in(client, "nobody@example.com")

        assert wrong.context["form"].errors == unknown.context["form"].errors
        assert not is_signed_in(client)

    def test_a_closed_account_cannot_sign_in(self, client):
        make_person("ada@example.com", is_active=False)

        sign_in(client)

        assert not is_signed_in(client)

    def test_it_leads_to_where_the_person_wanted_to_go(self, client):
        make_person()

        response = sign_in(client, next="/backtests/?page=2")

        assert response.url == "/backtests/?page=2"

    @pytest.mark.parametrize(
        "next_url",
        [
            "//evil.example/",
            "https://evil.example/",
            "/\\evil.example",
            "javascript:alert(1)",
            "http:evil.example",
        ],
    )
    def test_it_never_leads_away_from_the_site(self, client, next_url):
        make_person()

        response = sign_in(client, next=next_url)

        assert is_signed_in(client)
        assert response.url == reverse("web:dashboard")

    def test_the_session_gets_a_new_key(self, client):
        make_person()
        client.get(SIGN_IN)
        before = client.session.session_key

        sign_in(client)

        assert client.session.session_key != before


class TestSignOut:
    def test_it_ends_the_session(self, client):
        client.force_login(make_person())

        response = client.post("/accounts/logout/")

        assert response.url == reverse("web:home")
        assert not is_signed_in(client)

    def test_following_a_link_only_asks(self, client):
        client.force_login(make_person())

        response = client.get("/accounts/logout/")

        assert response.status_code == 200
        assert is_signed_in(client)


class TestPrivacy:
    @pytest.mark.parametrize("path", ["/dashboard/", "/accounts/password/change/"])
    def test_a_page_is_private_by_default_and_remembers_where_one_wanted_to_go(self, client, path):
        response = client.get(path)

        assert response.status_code == 302
        assert response.url.startswith("/accounts/login/")
        assert f"next={path}" in response.url

    @pytest.mark.parametrize(
        "path", ["/", SIGN_IN, SIGN_UP, "/accounts/password/reset/", "/accounts/inactive/"]
    )
    def test_the_way_in_is_public(self, client, path):
        assert client.get(path).status_code == 200

    def test_a_signed_in_person_goes_straight_to_the_dashboard(self, client):
        client.force_login(make_person())

        assert client.get("/").url == reverse("web:dashboard")

    def test_private_pages_are_not_stored(self, client):
        client.force_login(make_person())

        response = client.get("/accounts/password/change/")

        assert "no-store" in response["Cache-Control"]
