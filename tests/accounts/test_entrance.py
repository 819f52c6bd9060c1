"""Signing up, in and out through the pages."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from foundation.models import AuditEntry, OutboxEvent
from tests.factories.accounts import PASSWORD, make_person

pytestmark = pytest.mark.django_db

SIGN_UP = "/accounts/signup/"
SIGN_IN = "/accounts/login/"


def sign_up(client: Client, email: str = "ada@example.com", password: str = PASSWORD, **extra):
    """Send the sign-up form."""
    form = {"email": email, "password1": password, "password2": password}
    return client.post(SIGN_UP, form | extra)


def sign_in(client: Client, email: str = "ada@example.com", password: str = PASSWORD, **extra):
    """Send the sign-in form."""
    return client.post(SIGN_IN, {"login": email, "password": password} | extra)


def is_signed_in(client: Client) -> bool:
    """Tell whether *client* has a session of a person."""
    return "_auth_user_id" in client.session


class TestSignUp:
    def test_a_stranger_becomes_a_person_and_can_sign_in(self, client):
        response = sign_up(client)

        assert (response.status_code, response.url) == (302, SIGN_IN)
        assert AuditEntry.objects.filter(verb="person.registered").count() == 1
        assert OutboxEvent.objects.filter(name="accounts.person-registered").count() == 1
        sign_in(client)
        assert is_signed_in(client)

    def test_a_known_address_gets_the_same_answer_and_changes_nothing(self, client):
        make_person("ada@example.com")

        known = sign_up(client, "Ada@Example.com", "another-harbor-72")
        fresh = sign_up(Client(), "grace@example.com", "another-harbor-72")

        assert (known.status_code, known.url) == (fresh.status_code, fresh.url)
        assert known.content == fresh.content
        assert User.objects.filter(email="ada@example.com").count() == 1
        assert User.objects.get(email="ada@example.com").check_password(PASSWORD)

    def test_both_pages_after_it_say_the_same(self, client):
        make_person("ada@example.com")
        stranger = Client()
        sign_up(client)
        sign_up(stranger, "grace@example.com")

        notes = [
            [str(message) for message in visitor.get(SIGN_IN).context["messages"]]
            for visitor in (client, stranger)
        ]

        assert notes[0] == notes[1] != []

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

    def test_where_the_person_wanted_to_go_survives_the_detour(self, client):
        response = sign_up(client, next="/dashboard/")

        assert response.url == "/accounts/login/?next=%2Fdashboard%2F"


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


class TestForgottenPassword:
    def test_known_and_unknown_addresses_get_the_same_answer(self, client):
        make_person("ada@example.com")

        known = client.post("/accounts/password/reset/", {"email": "ada@example.com"})
        unknown = client.post("/accounts/password/reset/", {"email": "nobody@example.com"})

        assert known.url == unknown.url
        assert known.content == unknown.content

    def test_the_link_sets_a_new_password(self, client, mailoutbox):
        person = make_person("ada@example.com")
        client.post("/accounts/password/reset/", {"email": "ada@example.com"})
        link = next(
            word for word in mailoutbox[0].body.split() if "/accounts/password/reset/key/" in word
        )

        form_url = client.get(link).url
        client.post(form_url, {"password1": "another-harbor-72", "password2": "another-harbor-72"})

        person.refresh_from_db()
        assert person.check_password("another-harbor-72")

    def test_without_a_mail_server_the_page_is_the_same(self, client, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
        make_person("ada@example.com")

        response = client.post("/accounts/password/reset/", {"email": "ada@example.com"})

        assert response.url == "/accounts/password/reset/done/"
