"""A person comes into being once, is kept out at once, and is forgotten but for the records."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from accounts.models import Mail, Notification, PersonalToken, RefreshFamily, User
from accounts.services import operators, people, personal_tokens
from foundation.audit import Actor
from foundation.models import AuditEntry, OutboxEvent
from market.errors import ConflictError
from tests.accounts.visits import is_signed_in, mails_to, sign_in, signed_in
from tests.factories.accounts import give_second_factor, make_operator, make_person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
YEAR = timedelta(days=365)

pytestmark = pytest.mark.django_db


class TestRegisterPerson:
    def test_a_person_is_stored_with_a_hashed_password_and_a_lower_case_address(self):
        person = people.register_person(
            email=" Ada@Example.COM ", password="quiet-harbor-71", now=NOW
        )

        person.refresh_from_db()
        assert person.email == "ada@example.com"
        assert person.check_password("quiet-harbor-71")
        assert not person.is_staff

    def test_the_audit_entry_and_the_event_belong_to_the_person(self):
        person = people.register_person(
            email="ada@example.com", password="quiet-harbor-71", now=NOW
        )

        entry = AuditEntry.objects.get(verb="person.registered")
        assert (entry.owner_id, entry.actor_identifier) == (person.pk, str(person.pk))
        assert entry.detail == {}
        event = OutboxEvent.objects.get(name="accounts.person-registered")
        assert (event.owner_id, event.occurred_at) == (person.pk, NOW)

    def test_an_address_is_taken_in_any_case_and_nothing_is_left_behind(self):
        make_person("ada@example.com")

        with pytest.raises(people.AddressTakenError):
            people.register_person(email="ADA@example.com", password="quiet-harbor-71", now=NOW)

        assert User.objects.count() == 1
        assert not AuditEntry.objects.exists()
        assert not OutboxEvent.objects.exists()

    def test_without_a_password_nobody_can_sign_in(self):
        person = people.register_person(email="ada@example.com", password=None, now=NOW)

        assert not person.has_usable_password()


def _people() -> Actor:
    return Actor.system("test")


def make_signed_in_program(person: User) -> RefreshFamily:
    """Return the sign-in of a program of *person*."""
    return RefreshFamily.objects.create(
        owner=person, current_jti_hash="0" * 64, last_used_at=NOW, expires_at=NOW + YEAR
    )


def make_token(person: User) -> PersonalToken:
    """Return a personal token of *person*."""
    token, _ = personal_tokens.create_token(
        owner=person, name="desk", scopes=["read:market"], expires_in_days=30, by=_people(), now=NOW
    )
    return token


class TestRegistration:
    def test_who_is_not_verified_is_mailed_a_link_and_who_is_is_not(self):
        people.register_person(email="ada@example.com", password="quiet-harbor-71", now=NOW)
        people.register_person(
            email="grace@example.com", password="quiet-harbor-71", now=NOW, is_verified=True
        )

        assert mails_to("ada@example.com") == ["verify_address"]
        assert mails_to("grace@example.com") == []
        verified = dict(EmailAddress.objects.values_list("email", "verified"))
        assert verified == {"ada@example.com": False, "grace@example.com": True}

    def test_the_operator_of_an_installation_needs_no_link(self):
        operators.ensure_operator(
            email="op@example.com", password="quiet-harbor-71", display_name="Op", now=NOW
        )
        browser = Client()

        sign_in(browser, "op@example.com")

        assert is_signed_in(browser)


class TestDeactivation:
    def test_a_person_is_out_at_once_with_every_session_and_token(self):
        person = make_person()
        browser = signed_in(person)
        family, token = make_signed_in_program(person), make_token(person)

        people.deactivate_person(person_id=person.pk, by=_people(), now=NOW)

        for row in (person, family, token):
            row.refresh_from_db()
        assert not is_signed_in(browser)
        assert (person.is_active, person.deactivated_at, person.token_epoch) == (False, NOW, 1)
        assert family.revoked_at == token.revoked_at == NOW
        assert not Session.objects.exists()

    def test_they_cannot_sign_in_again_and_what_trades_for_them_is_told(self):
        person = make_person()

        people.deactivate_person(person_id=person.pk, by=_people(), now=NOW)

        browser = Client()
        sign_in(browser)
        assert not is_signed_in(browser)
        event = OutboxEvent.objects.get(name="accounts.person-deactivated")
        assert (event.owner_id, event.queue) == (person.pk, "control")

    def test_a_repeat_changes_nothing(self):
        person = make_person()

        for _ in range(2):
            people.deactivate_person(person_id=person.pk, by=_people(), now=NOW)

        assert OutboxEvent.objects.filter(name="accounts.person-deactivated").count() == 1
        assert AuditEntry.objects.filter(verb="person.deactivated").count() == 1

    def test_they_come_back_when_an_operator_says_so(self):
        person = make_person()
        people.deactivate_person(person_id=person.pk, by=_people(), now=NOW)

        people.reactivate_person(person_id=person.pk, by=_people(), now=NOW)

        assert is_signed_in(signed_in(person))
        assert OutboxEvent.objects.filter(name="accounts.person-reactivated").count() == 1

    def test_nobody_is_not_found(self):
        with pytest.raises(people.PersonNotFoundError):
            people.deactivate_person(person_id=0, by=_people(), now=NOW)


class TestOperators:
    def test_a_person_becomes_an_operator_and_an_ordinary_person_again(self):
        make_operator()
        person = make_person()

        people.set_staff(person_id=person.pk, is_staff=True, by=_people(), now=NOW)
        person.refresh_from_db()
        assert (person.is_staff, person.is_superuser) == (True, True)

        people.set_staff(person_id=person.pk, is_staff=False, by=_people(), now=NOW)
        person.refresh_from_db()
        assert (person.is_staff, person.is_superuser) == (False, False)

    @pytest.mark.parametrize("deed", ["set_staff", "deactivate_person", "request_erasure"])
    def test_the_last_operator_stays(self, deed):
        operator = make_operator()
        options = {"is_staff": False} if deed == "set_staff" else {}

        with pytest.raises(people.LastOperatorError):
            getattr(people, deed)(person_id=operator.pk, by=_people(), now=NOW, **options)

        operator.refresh_from_db()
        assert operator.is_active
        assert operator.is_staff

    def test_one_of_two_may_go(self):
        make_operator("other@example.com")
        operator = make_operator()

        people.deactivate_person(person_id=operator.pk, by=_people(), now=NOW)

        operator.refresh_from_db()
        assert not operator.is_active


@pytest.mark.django_db(transaction=True)
def test_two_operators_who_remove_each_other_at_once_leave_one():
    first, second = make_operator("one@example.com"), make_operator("two@example.com")
    ready = threading.Barrier(2)

    def remove(person_id: int) -> str:
        ready.wait()
        try:
            people.set_staff(person_id=person_id, is_staff=False, by=_people(), now=NOW)
        except people.LastOperatorError:
            return "kept"
        finally:
            connection.close()
        return "removed"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(remove, [first.pk, second.pk]))

    assert outcomes == ["kept", "removed"]
    assert User.objects.filter(is_staff=True, is_superuser=True, is_active=True).count() == 1


class TestVerification:
    def test_an_operator_may_vouch_for_an_address(self):
        person = make_person(is_verified=False)

        people.set_verified(person_id=person.pk, is_verified=True, by=_people(), now=NOW)

        assert is_signed_in(signed_in(person))

    def test_or_doubt_it_which_signs_out_and_mails_a_link(self):
        person = make_person()
        browser = signed_in(person)

        people.set_verified(person_id=person.pk, is_verified=False, by=_people(), now=NOW)

        assert not is_signed_in(browser)
        assert mails_to(person.email) == ["verify_address"]


class TestErasure:
    def test_asking_for_it_keeps_the_person_out_and_tells_the_apps_above(self):
        person = make_person()
        browser = signed_in(person)

        people.request_erasure(person_id=person.pk, by=_people(), now=NOW)

        person.refresh_from_db()
        assert not is_signed_in(browser)
        assert (person.is_active, person.erasure_requested_at) == (False, NOW)
        assert person.email == "ada@example.com"
        assert OutboxEvent.objects.filter(name="accounts.person-erasure-requested").count() == 1

    def test_it_leaves_nothing_that_names_the_person_and_keeps_the_records(self):
        person = make_person(display_name="Ada Lovelace", bio="Numbers.")
        give_second_factor(person)
        signed_in_browser = Client()
        sign_in(signed_in_browser)
        make_signed_in_program(person)
        make_token(person)
        people.request_erasure(person_id=person.pk, by=_people(), now=NOW)

        people.erase_person(person_id=person.pk, now=NOW)

        person.refresh_from_db()
        assert person.email == f"erased-{person.public_id}@erased.invalid"
        assert (person.display_name, person.bio) == ("", "")
        assert not person.has_usable_password()
        for table in (
            EmailAddress, Authenticator, UserSession, RefreshFamily, PersonalToken, Mail, Notification
        ):  # fmt: skip
            assert not table.objects.exists(), table
        assert AuditEntry.objects.filter(owner=person, verb="person.erased").count() == 1
        assert OutboxEvent.objects.filter(name="accounts.person-erased").count() == 1

    def test_the_address_is_free_again(self):
        person = make_person()
        people.request_erasure(person_id=person.pk, by=_people(), now=NOW)
        people.erase_person(person_id=person.pk, now=NOW)

        fresh = people.register_person(email="ada@example.com", password=None, now=NOW)

        assert fresh.pk != person.pk

    def test_nobody_is_deleted_who_did_not_ask(self):
        person = make_person()

        with pytest.raises(ConflictError):
            people.erase_person(person_id=person.pk, now=NOW)

        person.refresh_from_db()
        assert person.email == "ada@example.com"

    def test_the_deleted_do_not_come_back(self):
        person = make_person()
        people.request_erasure(person_id=person.pk, by=_people(), now=NOW)
        people.erase_person(person_id=person.pk, now=NOW)

        for deed in (
            people.reactivate_person,
            partial(people.set_staff, is_staff=True),
            partial(people.set_verified, is_verified=True),
        ):
            with pytest.raises(people.PersonErasedError):
                deed(person_id=person.pk, by=_people(), now=NOW)

    def test_one_who_asked_may_be_brought_back_before_it_happens(self):
        person = make_person()
        people.request_erasure(person_id=person.pk, by=_people(), now=NOW)

        people.reactivate_person(person_id=person.pk, by=_people(), now=NOW)

        with pytest.raises(ConflictError):
            people.erase_person(person_id=person.pk, now=NOW)
