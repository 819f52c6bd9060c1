"""Proving an address by a link, and changing it for another one that is proven."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.test import Client
from django.utils import timezone

from accounts.models import Notification, User
from accounts.services import addresses
from foundation.models import AuditEntry
from tests.accounts.visits import (
    CHANGE_ADDRESS,
    SENT,
    confirm_it_is_me,
    is_signed_in,
    link_to,
    mails_to,
    sign_in,
    sign_up,
    signed_in,
)
from tests.factories.accounts import make_person

pytestmark = pytest.mark.django_db

NEW = "ada@new.example.com"


def ask_for(client: Client, email: str = NEW) -> None:
    """Ask for another address, with the password that it needs."""
    confirm_it_is_me(client)
    response = client.post(CHANGE_ADDRESS, {"email": email, "action_add": ""})
    assert response.status_code == 302, response.content


class TestTheLink:
    def test_looking_at_it_changes_nothing(self, client, mailoutbox):
        sign_up(client)
        link = link_to("ada@example.com", "verify_address", mailoutbox)

        page = client.get(link)

        assert page.status_code == 200
        assert b"Yes, confirm it" in page.content
        assert not EmailAddress.objects.get().verified

    def test_it_works_once(self, client, mailoutbox):
        sign_up(client)
        link = link_to("ada@example.com", "verify_address", mailoutbox)
        client.post(link)

        for again in (client.get(link), client.post(link)):
            assert again.status_code == 200
            assert "Send a new link" in again.content.decode()
        assert EmailAddress.objects.get().verified
        assert AuditEntry.objects.filter(verb="person.address_verified").count() == 1

    def test_it_signs_nobody_in(self, client, mailoutbox):
        sign_up(client)

        client.post(link_to("ada@example.com", "verify_address", mailoutbox))

        assert not is_signed_in(client)

    def test_it_ends_after_two_days(self, client, mailoutbox, monkeypatch):
        sign_up(client)
        link = link_to("ada@example.com", "verify_address", mailoutbox)
        later = (timezone.now() + timedelta(hours=48, minutes=1)).timestamp()

        monkeypatch.setattr("django.core.signing.time.time", lambda: later)

        assert "Send a new link" in client.post(link).content.decode()
        assert not EmailAddress.objects.get().verified

    @pytest.mark.parametrize("key", ["bad", "MQ:1aaaaa:AAAA", "x" * 500])
    def test_one_that_was_tampered_with_leads_to_a_new_one(self, client, key):
        for response in (client.get(f"{SENT}{key}/"), client.post(f"{SENT}{key}/")):
            assert response.status_code == 200
            assert "/account/verification/" in response.content.decode()


class TestANewLink:
    def test_who_waits_for_it_gets_it_and_everybody_the_same_answer(self, client):
        make_person("ada@example.com", is_verified=False)
        make_person("grace@example.com")

        answers = [
            client.post("/account/verification/", {"email": email})
            for email in ("Ada@example.com", "grace@example.com", "nobody@example.com")
        ]

        assert [(answer.status_code, answer.url) for answer in answers] == [(302, SENT)] * 3
        assert mails_to("ada@example.com") == ["verify_address"]
        assert mails_to("grace@example.com") == mails_to("nobody@example.com") == []

    def test_what_is_no_address_is_refused(self, client):
        response = client.post("/account/verification/", {"email": "ada"})

        assert response.status_code == 422


class TestChangeOfAddress:
    def test_it_needs_the_password(self):
        browser = signed_in(make_person())

        response = browser.post(CHANGE_ADDRESS, {"email": NEW, "action_add": ""})

        assert response["Location"].startswith("/accounts/reauthenticate/")
        assert mails_to(NEW) == []

    def test_the_old_address_stays_until_the_new_one_is_proven(self, mailoutbox):
        person = make_person()
        browser = signed_in(person)
        ask_for(browser)
        person.refresh_from_db()
        assert person.email == "ada@example.com"

        browser.post(link_to(NEW, "verify_address", mailoutbox))

        person.refresh_from_db()
        assert person.email == NEW
        assert EmailAddress.objects.get().email == NEW
        fresh = Client()
        sign_in(fresh, NEW)
        assert is_signed_in(fresh)

    def test_the_old_address_is_told(self, mailoutbox):
        person = make_person()
        browser = signed_in(person)
        ask_for(browser)

        browser.post(link_to(NEW, "verify_address", mailoutbox))

        assert mails_to("ada@example.com") == ["address_changed"]
        assert Notification.objects.filter(owner=person, kind="SECURITY").count() == 1
        assert AuditEntry.objects.filter(verb="person.address_changed", owner=person).exists()

    def test_the_reader_of_a_mistyped_mailbox_changes_nothing(self, mailoutbox):
        person = make_person()
        ask_for(signed_in(person))

        Client().post(link_to(NEW, "verify_address", mailoutbox))

        person.refresh_from_db()
        assert person.email == "ada@example.com"

    def test_no_password_is_reset_through_an_address_that_is_not_proven(self):
        person = make_person()
        ask_for(signed_in(person))

        Client().post("/accounts/password/reset/", {"email": NEW})

        assert mails_to(NEW) == ["verify_address", "unknown_address"]

    def test_an_address_that_became_somebody_elses_is_refused(self, mailoutbox):
        person = make_person()
        browser = signed_in(person)
        ask_for(browser)
        link = link_to(NEW, "verify_address", mailoutbox)
        make_person(NEW)

        browser.post(link)

        person.refresh_from_db()
        assert person.email == "ada@example.com"
        assert EmailAddress.objects.get(user=person, primary=True).email == "ada@example.com"

    def test_asking_for_a_known_address_shows_the_same_page(self):
        make_person("grace@example.com")
        browser = signed_in(make_person())
        confirm_it_is_me(browser)

        known = browser.post(CHANGE_ADDRESS, {"email": "grace@example.com", "action_add": ""})
        fresh = browser.post(CHANGE_ADDRESS, {"email": NEW, "action_add": ""})

        assert (known.status_code, known["Location"]) == (fresh.status_code, fresh["Location"])

    def test_the_change_can_be_called_off(self):
        person = make_person()
        browser = signed_in(person)
        ask_for(browser)

        browser.post(CHANGE_ADDRESS, {"email": NEW, "action_remove": ""})

        assert EmailAddress.objects.get().email == "ada@example.com"

    def test_an_address_that_is_gone_is_refused(self):
        address = EmailAddress.objects.get(user=make_person())
        gone = address.pk
        address.delete()

        with pytest.raises(addresses.AddressUnavailableError):
            addresses.confirm_address(address_id=gone, signed_in_id=None, now=timezone.now())
        assert User.objects.count() == 1


def test_a_link_names_an_address_and_no_person(mailoutbox, client):
    sign_up(client)

    link = link_to("ada@example.com", "verify_address", mailoutbox)

    address = EmailAddress.objects.get()
    assert EmailConfirmationHMAC.from_key(link.split("/")[3]).email_address == address
    assert "ada" not in link
