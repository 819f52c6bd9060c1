"""Forgotten, reset and changed passwords, and what they end."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.test import Client
from django.utils import timezone

from accounts.models import Notification, PersonalToken, RefreshFamily, User
from accounts.services import personal_tokens
from foundation.audit import Actor
from foundation.models import AuditEntry
from tests.accounts.visits import (
    CHANGE_PASSWORD,
    OTHER_PASSWORD,
    RESET,
    is_signed_in,
    link_to,
    mails_to,
    sign_in,
    signed_in,
)
from tests.factories.accounts import PASSWORD, make_person

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_sign_in_of_a_program(person: User) -> RefreshFamily:
    """Return the sign-in of a program of *person*."""
    return RefreshFamily.objects.create(
        owner=person,
        current_jti_hash="0" * 64,
        last_used_at=NOW,
        expires_at=timezone.now() + timedelta(days=1),
    )


def make_token(person: User) -> PersonalToken:
    """Return a personal token of *person*."""
    token, _ = personal_tokens.create_token(
        owner=person,
        name="desk",
        scopes=["read:market"],
        expires_in_days=30,
        by=Actor.person(person.pk),
        now=timezone.now(),
    )
    return token


def change(client: Client, old: str = PASSWORD, new: str = OTHER_PASSWORD):
    """Send the form of a new password."""
    return client.post(CHANGE_PASSWORD, {"oldpassword": old, "password1": new, "password2": new})


def ask_for_reset(mailoutbox, email: str = "ada@example.com") -> tuple[Client, str]:
    """Ask for a reset; return a browser and the address of the form that its link leads to."""
    browser = Client()
    browser.post(RESET, {"email": email})
    return browser, browser.get(link_to(email, "reset_password", mailoutbox))["Location"]


class TestChangePassword:
    def test_the_present_session_stays_and_all_others_end(self):
        person = make_person()
        here, there = signed_in(person), signed_in(person)

        change(here)

        assert is_signed_in(here)
        assert not is_signed_in(there)
        person.refresh_from_db()
        assert person.check_password(OTHER_PASSWORD)

    def test_programs_that_signed_in_are_signed_out_and_all_tokens_are_void(self):
        person = make_person()
        family, token = make_sign_in_of_a_program(person), make_token(person)

        change(signed_in(person))

        family.refresh_from_db()
        token.refresh_from_db()
        person.refresh_from_db()
        assert family.revoked_at is not None
        assert token.revoked_at is not None
        assert person.token_epoch == 1

    def test_the_person_is_told(self):
        person = make_person()

        change(signed_in(person))

        assert mails_to(person.email) == ["password_changed"]
        assert Notification.objects.get(owner=person).kind == "SECURITY"
        assert AuditEntry.objects.filter(verb="person.password_changed", owner=person).exists()

    def test_a_wrong_present_password_changes_nothing(self):
        person = make_person()

        response = change(signed_in(person), old="not-this-one-5")

        assert "not your current password" in response.content.decode()
        person.refresh_from_db()
        assert person.check_password(PASSWORD)

    def test_the_present_session_stays_listed(self):
        person = make_person()
        browser = signed_in(person)

        change(browser)

        page = browser.get("/account/sessions/").content.decode()
        assert "This one" in page


class TestForgottenPassword:
    def test_known_and_unknown_addresses_get_the_same_answer(self, client):
        make_person("ada@example.com")

        known = client.post(RESET, {"email": "ada@example.com"})
        unknown = client.post(RESET, {"email": "nobody@example.com"})

        assert (known.status_code, known.url) == (unknown.status_code, unknown.url)
        assert known.content == unknown.content

    def test_a_mail_says_to_each_what_is_true(self, client):
        make_person("ada@example.com")
        make_person("closed@example.com", is_active=False)

        for email in ("ada@example.com", "nobody@example.com", "closed@example.com"):
            client.post(RESET, {"email": email})

        assert mails_to("ada@example.com") == ["reset_password"]
        assert mails_to("nobody@example.com") == ["unknown_address"]
        assert mails_to("closed@example.com") == ["unknown_address"]

    def test_the_link_sets_a_new_password_and_ends_everything(self, mailoutbox):
        person = make_person("ada@example.com")
        elsewhere = signed_in(person)
        family, token = make_sign_in_of_a_program(person), make_token(person)
        browser, form = ask_for_reset(mailoutbox)

        browser.post(form, {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD})

        for row in (person, family, token):
            row.refresh_from_db()
        assert person.check_password(OTHER_PASSWORD)
        assert not is_signed_in(elsewhere)
        assert not is_signed_in(browser)
        assert family.revoked_at is not None
        assert token.revoked_at is not None
        assert mails_to(person.email)[-1] == "password_changed"

    def test_a_signed_in_browser_that_follows_the_link_is_signed_out_too(self, mailoutbox):
        person = make_person("ada@example.com")
        browser = signed_in(person)
        browser.post(RESET, {"email": person.email})
        form = browser.get(link_to(person.email, "reset_password", mailoutbox))["Location"]

        browser.post(form, {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD})

        assert not is_signed_in(browser)

    def test_the_link_works_once(self, mailoutbox):
        person = make_person("ada@example.com")
        browser, form = ask_for_reset(mailoutbox)
        browser.post(form, {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD})

        again = browser.post(form, {"password1": "third-harbor-73", "password2": "third-harbor-73"})

        assert "Send another link" in again.content.decode()
        person.refresh_from_db()
        assert person.check_password(OTHER_PASSWORD)

    def test_the_link_ends_after_an_hour(self, mailoutbox, monkeypatch):
        make_person("ada@example.com")
        browser, form = ask_for_reset(mailoutbox)
        later = datetime.now() + timedelta(minutes=61)  # noqa: DTZ005  the library counts so

        monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: later)

        assert "Send another link" in browser.get(form).content.decode()

    def test_it_proves_the_address_of_who_never_confirmed_it(self, mailoutbox):
        make_person("ada@example.com", is_verified=False)
        browser, form = ask_for_reset(mailoutbox)

        browser.post(form, {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD})

        sign_in(browser, password=OTHER_PASSWORD)
        assert is_signed_in(browser)
