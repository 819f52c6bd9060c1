"""What people type wrong into the forms of their account, and the clear answer that each gets."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from accounts.models import PersonalToken, User
from tests.accounts.visits import (
    RESET,
    SENT,
    SIGN_IN,
    SIGN_UP,
    confirm_it_is_me,
    enter_code,
    is_signed_in,
    mails_to,
    sign_in,
    sign_up,
    signed_in,
)
from tests.factories.accounts import PASSWORD, code_now, give_second_factor, make_person

pytestmark = pytest.mark.django_db

EVIL = [
    "//evil.example/",
    "https://evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "http:evil.example",
    "//evil.example@localhost",
    "\t//evil.example",
]


class TestAddresses:
    """F1."""

    @pytest.mark.parametrize(
        ("address", "complaint"),
        [
            ("", "required"),
            ("ada", "valid email"),
            ("ada@", "valid email"),
            ("a b@example.com", "valid email"),
            ("ada@example..com", "valid email"),
            ("ada\x00@example.com", "Null characters"),
            ("x" * 250 + "@e.com", "valid email|at most"),
            ("x" * 100_000 + "@example.com", "valid email|at most"),
        ],
    )
    def test_what_is_no_address_is_said_beside_the_field(self, client, address, complaint):
        response = sign_up(client, address)

        assert response.status_code == 200
        assert re.search(complaint, str(response.context["form"].errors["email"]))
        assert not User.objects.exists()

    def test_an_international_domain_is_an_address(self, client):
        assert sign_up(client, "ada@bücher.example").url == SENT

    def test_a_taken_one_gets_the_page_of_a_free_one_and_its_owner_a_mail(self, client):
        make_person("ada@example.com")

        assert sign_up(client, "ADA@example.com").url == sign_up(Client(), "b@example.com").url
        assert mails_to("ada@example.com") == ["already_registered"]


class TestPasswords:
    """F2."""

    @pytest.mark.parametrize(
        ("password", "complaint"),
        [
            ("short-1", "at least 10 characters"),
            ("qwertyuiop", "too common"),
            ("ada.lovelace@example.com", "too similar"),
            ("x" * 257, "at most 256 characters"),
            ("x" * 300_000, "at most 256 characters"),
        ],
    )
    def test_a_bad_one_is_refused_with_its_rule(self, client, password, complaint):
        response = sign_up(client, "ada.lovelace@example.com", password)

        assert complaint in response.content.decode()
        assert not User.objects.exists()

    def test_a_body_beyond_a_megabyte_is_refused_unread(self, client):
        begun = time.monotonic()

        response = sign_up(client, password="x" * 1_100_000)

        assert response.status_code == 400
        assert time.monotonic() - begun < 2

    @pytest.mark.parametrize(
        "password", ["🐎🔋📎🦩🐎🔋📎🦩🐎🔋", "q" + "é" * 60 + "z", "a" * 72 + "b"]
    )
    def test_a_long_or_colorful_one_counts_to_its_last_character(self, client, password):
        sign_up(client, password=password)

        person = User.objects.get()
        assert person.check_password(password)
        assert not person.check_password(password[:-1])


class TestProofs:
    """F3."""

    @pytest.fixture(autouse=True)
    def _no_code_was_used(self):
        cache.clear()

    def test_a_wrong_password_and_an_unknown_address_are_answered_alike(self, client):
        make_person()

        wrong = sign_in(client, password="not-this-one-5")
        unknown = sign_in(Client(), "nobody@example.com")

        assert wrong.context["form"].errors == unknown.context["form"].errors
        assert "Wrong e-mail address or password." in wrong.content.decode()

    @pytest.mark.parametrize("code", ["", "000000", "abcdef", "1" * 5_000, "१२३४५६", "\x00"])
    def test_a_wrong_code_lets_nobody_in(self, client, code):
        give_second_factor(make_person())
        sign_in(client)

        response = enter_code(client, code or " ")

        assert response.status_code == 200
        assert response.context["form"].errors["code"]
        assert not is_signed_in(client)

    def test_used_codes_are_answered_like_wrong_ones(self, client):
        codes = give_second_factor(make_person())
        for code in (code_now(), codes[0]):
            first, second = Client(), Client()
            sign_in(first)
            enter_code(first, code)
            sign_in(second)

            response = enter_code(second, code)

            assert "Wrong code" in response.content.decode()
            assert not is_signed_in(second)
        assert Authenticator.objects.count() == 2


class TestLinks:
    """F4."""

    @pytest.mark.parametrize(
        "path",
        [
            f"{SENT}bad/",
            f"{SENT}MTI:1aBcDe:forged/",
            f"{RESET}key/1-bad/",
            f"{RESET}key/zzzzzz-c0ffee-000000/",
            f"{RESET}key/1-set-password/",
        ],
    )
    def test_one_that_is_no_good_offers_a_new_one(self, client, path):
        for response in (client.get(path), client.post(path, {})):
            assert response.status_code == 200
            assert re.search("Send (a new|another) link", response.content.decode())
        assert not is_signed_in(client)


class TestEndedSessions:
    """F5."""

    ENTRIES = {"display_name": "Ada", "bio": "A long text.", "password": "hunter2hunter2"}

    def test_a_form_without_its_token_is_answered_with_a_page_and_what_was_typed(self):
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(make_person())

        response = browser.post("/account/", self.ENTRIES)

        page = response.content.decode()
        assert response.status_code == 403
        assert "Your session ended" in page
        assert "A long text." in page
        assert "hunter2" not in page
        assert "/accounts/login/?next=%2Faccount%2F" in page

    def test_a_session_that_ended_meanwhile_loses_no_entry(self, client):
        response = client.post("/account/", self.ENTRIES)

        page = response.content.decode()
        assert response.status_code == 403
        assert "A long text." in page
        assert "hunter2" not in page

    def test_an_empty_form_is_led_to_sign_in(self, client):
        assert client.post("/account/").url == f"{SIGN_IN}?next=/account/"

    def test_what_was_typed_is_shown_as_text(self, client):
        page = client.post("/account/", {"bio": "<script>alert(1)</script>"}).content.decode()

        assert "<script>alert" not in page


class TestTwice:
    """F6."""

    def test_signing_up_twice_makes_one_person(self, client):
        sign_up(client)
        sign_up(client)

        assert User.objects.count() == 1

    def test_a_token_is_made_once(self):
        browser = signed_in(make_person())
        confirm_it_is_me(browser)
        form = {
            "name": "desk",
            "scopes": ["read:market"],
            "expires_in_days": "30",
            "form": browser.get("/account/tokens/").context["mark"],
        }

        pages = [browser.post("/account/tokens/new/", form, follow=True) for _ in range(2)]

        assert PersonalToken.objects.count() == 1
        assert "made already" in pages[1].content.decode()


class TestRedirects:
    """F7."""

    @pytest.mark.parametrize("target", EVIL)
    def test_signing_in_never_leads_away(self, client, target):
        make_person()

        response = sign_in(client, next=target)

        assert response.url == "/dashboard/"

    @pytest.mark.parametrize("target", EVIL)
    def test_nor_do_the_second_factor_and_the_password_once_more(self, client, target):
        cache.clear()
        codes = give_second_factor(make_person())
        sign_in(client, next=target)

        assert enter_code(client, codes[0]).url == "/dashboard/"
        again = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": target})
        assert again.url.startswith("/")
        assert "evil" not in again.url

    @pytest.mark.parametrize("target", EVIL)
    def test_nor_does_signing_out(self, target):
        browser = signed_in(make_person())

        assert browser.post("/accounts/logout/", {"next": target})["Location"] == "/"

    @pytest.mark.parametrize("target", EVIL)
    def test_the_page_of_an_ended_session_links_only_here(self, client, target):
        page = client.post("/account/", {"bio": "x"}, headers={"Referer": target}).content.decode()

        assert "evil" not in page


class TestTamperedChoices:
    """F8."""

    @pytest.mark.parametrize("field", ["time_zone", "currency", "theme"])
    def test_what_was_not_offered_is_not_available(self, field):
        person = make_person()
        form = {"time_zone": "UTC", "currency": "USDT", "theme": "SYSTEM"}

        response = signed_in(person).post("/account/", form | {field: "tampered"})

        assert "That choice is not available." in response.content.decode()

    def test_a_field_that_the_form_does_not_have_changes_nothing(self):
        person = make_person()
        form = {"time_zone": "UTC", "currency": "USDT", "theme": "SYSTEM"}

        signed_in(person).post("/account/", form | {"is_staff": "on", "email": "x@example.com"})

        person.refresh_from_db()
        assert not person.is_staff
        assert person.email == "ada@example.com"

    def test_a_scope_that_was_not_offered_is_not_available(self):
        browser = signed_in(make_person())
        confirm_it_is_me(browser)
        form = {"name": "desk", "scopes": ["admin"], "expires_in_days": "30"}

        response = browser.post("/account/tokens/new/", form)

        assert "That choice is not available." in response.content.decode()


class TestNumbers:
    """F9."""

    @pytest.mark.parametrize("days", ["1,5", "1.5", "ten", "-1", "1e3", "٣٠٠٠", "9" * 400])
    def test_days_that_are_no_whole_number_in_range_are_refused_and_shown_back(self, days):
        browser = signed_in(make_person())
        confirm_it_is_me(browser)
        form = {"name": "desk", "scopes": ["read:market"], "expires_in_days": days}

        response = browser.post("/account/tokens/new/", form)

        assert response.status_code == 422
        assert response.context["form"].errors["expires_in_days"]
        assert response.context["form"]["expires_in_days"].value() == days
        assert not PersonalToken.objects.exists()


def test_the_page_of_a_form_keeps_what_was_typed_but_no_secret(client):
    page = sign_up(client, "ada.lovelace@example.com", "short-1").content.decode()

    assert "ada.lovelace@example.com" in page
    assert "short-1" not in page
    assert client.get(SIGN_UP).status_code == 200
