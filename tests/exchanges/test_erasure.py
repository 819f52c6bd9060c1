"""The keys of a person who is deleted are gone, whatever else stays on record."""

from datetime import UTC, datetime

import pytest

from accounts.services import people
from exchanges.models import Balance, Credential, ExchangeAccount
from foundation import events
from foundation.audit import Actor
from foundation.crypto import seal
from foundation.models import OutboxEvent
from tests.exchanges.owned_objects import make_connected_account
from tests.factories.accounts import make_person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def make_credential(account: ExchangeAccount) -> Credential:
    """Return a sealed key of *account*."""
    credential = Credential(owner=account.owner, account=account, version=1, last_four="1234")
    credential.sealed_api_key = seal("a-key", credential.context("api_key"))
    credential.sealed_secret = seal("a-secret", credential.context("secret"))
    credential.save()
    return credential


def erase(person_id: int) -> OutboxEvent:
    """Delete a person; return the event that tells of it."""
    people.request_erasure(person_id=person_id, by=Actor.person(person_id), now=NOW)
    people.erase_person(person_id=person_id, now=NOW)
    return OutboxEvent.objects.get(name="accounts.person-erased", owner_id=person_id)


def test_keys_and_balances_are_deleted_and_accounts_stay_closed_without_their_names():
    person, other = make_person(), make_person("grace@example.com")
    account = make_connected_account(person)
    kept = make_connected_account(other, venue=account.venue)
    for row in (account, kept):
        make_credential(row)
    assert Credential.objects.filter(owner=person).exists()

    event = erase(person.pk)
    for _ in range(2):
        OutboxEvent.objects.update(delivered_at=None)
        events.deliver(event_id=event.pk, now=NOW)

    account.refresh_from_db()
    assert account.closed_at == NOW
    assert account.label == account.venue.name
    assert not Credential.objects.filter(owner=person).exists()
    assert not Balance.objects.filter(owner=person).exists()
    assert ExchangeAccount.objects.get(pk=kept.pk).closed_at is None
    assert Credential.objects.filter(owner=other).exists()
