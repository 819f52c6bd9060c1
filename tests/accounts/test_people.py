"""A person comes into being once, with an audit entry and an event."""

from datetime import UTC, datetime

import pytest

from accounts.models import User
from accounts.services import people
from foundation.models import AuditEntry, OutboxEvent
from tests.factories.accounts import make_person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

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
