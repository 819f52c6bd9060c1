"""After a start nothing is opened on an account before it has been compared."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from exchanges.models import ExchangeAccount
from exchanges.services import leases
from market.enums import Leg, Side
from market.errors import VenueUnavailableError
from trading.models import IntentStatus, WorkerStart
from trading.services import reconciliation, starts

pytestmark = pytest.mark.django_db


def start_workers() -> None:
    """Let workers begin, whatever former ones have done."""
    WorkerStart.objects.create(token=uuid4(), started_at=leases.database_now())


def test_an_entry_waits_until_its_account_has_been_compared(desk):
    desk.reconcile()
    start_workers()
    intent = desk.decide()
    desk.submit()
    intent.refresh_from_db()
    assert intent.status == IntentStatus.NEW

    desk.later(2)
    desk.reconcile()
    desk.submit()

    intent.refresh_from_db()
    assert intent.status == IntentStatus.ORDERED


def test_a_comparison_that_failed_is_none(desk):
    desk.reconcile()
    start_workers()
    intent = desk.decide()
    desk.venue.next_question(raises=VenueUnavailableError())
    desk.reconcile()

    desk.later(2)
    desk.submit()

    intent.refresh_from_db()
    assert intent.status == IntentStatus.NEW


def test_an_exit_does_not_wait(desk):
    desk.enter()
    desk.reconcile()
    start_workers()
    desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))

    desk.submit()

    assert desk.position.quantity == 0


def test_a_worker_is_noted_once_and_makes_every_account_due(desk, monkeypatch):
    account = ExchangeAccount.objects.filter(pk=desk.deployment.account_id)
    desk.reconcile()
    assert reconciliation.reconcile_due_accounts(now=desk.now) == 0
    monkeypatch.setattr(starts, "_noted", set())

    starts.note_start(now=desk.now)
    starts.note_start(now=timezone.now())

    assert WorkerStart.objects.count() == 1
    assert account.get().next_reconcile_at == desk.now
    assert reconciliation.reconcile_due_accounts(now=desk.now) == 1
