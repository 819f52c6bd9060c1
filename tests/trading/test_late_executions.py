"""Executions that a venue shows late, and accounts that cannot be compared."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from exchanges.adapters.protocol import BalanceReport, FillReport
from exchanges.models import AccountKind
from exchanges.services import balances
from market.enums import Leg, OrderStatus, Side
from tests.factories import accounts as people
from tests.factories import trading as factory
from tests.trading.conftest import Desk
from trading.models import ActualState, DeploymentInstrument, Health
from trading.services import reconciliation

pytestmark = pytest.mark.django_db

_HELD = Decimal("0.0999")


def _hide_fills(desk: Desk, *, since: int) -> list[tuple[str, FillReport]]:
    """Take the executions from the *since*-th on off the venue's list; return them to be put back."""
    hidden, desk.venue.book.fills[since:] = desk.venue.book.fills[since:], []
    return hidden


def _show(desk: Desk, hidden: list[tuple[str, FillReport]], *, at: datetime) -> None:
    """Put executions back on the venue's list, as of *at*."""
    desk.venue.book.fills += [(account, replace(fill, venue_at=at)) for account, fill in hidden]


def test_an_execution_of_a_canceled_order_that_shows_after_a_whole_comparison_is_booked(desk):
    desk.enter("0.1")
    stop = desk.order(Leg.STOP)
    desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=_HELD)
    desk.venue.next_submit(rejects_with="insufficient_funds")
    desk.submit()
    stop.refresh_from_db()
    assert stop.status == OrderStatus.CANCELED
    filled_at = desk.now
    shown = len(desk.venue.book.fills)
    desk.venue.fill(stop.client_order_id, quantity=_HELD)
    hidden = _hide_fills(desk, since=shown)

    desk.later(600)
    desk.reconcile()
    assert desk.position.quantity == _HELD
    _show(desk, hidden, at=filled_at)
    desk.later(16)
    desk.reconcile()

    stop.refresh_from_db()
    assert stop.status == OrderStatus.FILLED
    assert desk.position.quantity == 0


def test_executions_of_a_resting_order_are_found_by_what_it_tells_to_have_filled(desk):
    desk.enter("0.1")
    stop = desk.order(Leg.STOP)
    filled_at = desk.now
    shown = len(desk.venue.book.fills)
    desk.venue.fill(stop.client_order_id, quantity=Decimal("0.04"))
    desk.venue.book.deposit(str(desk.deployment.account.public_id), "BTC", Decimal("0.04"))
    hidden = _hide_fills(desk, since=shown)

    for _ in range(2):
        desk.later(600)
        desk.reconcile()
    _show(desk, hidden, at=filled_at)
    desk.later(16)
    desk.reconcile()

    stop.refresh_from_db()
    assert stop.filled_quantity == Decimal("0.04")


def test_what_fills_after_a_deployment_has_ended_is_booked(desk):
    desk.enter("0.1")
    stop = desk.order(Leg.STOP)
    desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=_HELD)
    desk.submit()
    desk.later(16)
    desk.reconcile()
    assert desk.position.quantity == 0
    deployment = desk.deployment
    deployment.actual_state, deployment.stopped_at = ActualState.STOPPED, desk.now
    deployment.save()
    DeploymentInstrument.objects.update(is_active=False)
    desk.venue.fill(stop.client_order_id, quantity=_HELD)

    desk.later(16)
    desk.reconcile()

    stop.refresh_from_db()
    assert stop.status == OrderStatus.FILLED


def test_an_account_whose_answers_cannot_be_stored_keeps_no_other_from_being_compared(
    desk, instrument
):
    other = factory.make_account(
        people.make_person(email="bo@example.com"), instrument, kind=AccountKind.LIVE, now=desk.now
    )
    with transaction.atomic():
        funds = [BalanceReport("USDT", free=Decimal(100_000), used=Decimal(0))]
        asked_at = desk.now - timedelta(hours=1)
        balances.record_balances(account_id=other.pk, reports=funds, now=asked_at)
    sound = factory.make_deployment(other, now=desk.now)
    sound.actual_state = ActualState.STARTING
    sound.save()
    desk.venue.next_submit(times_out=True, but_is_accepted=True)
    order = desk.enter("0.1")
    desk.venue.orders[-1].venue_order_id = "1" * 1_000

    desk.later(61)
    reconciliation.reconcile_due_accounts(now=desk.now)

    order.refresh_from_db()
    assert order.status == OrderStatus.UNKNOWN
    sound.refresh_from_db()
    assert sound.actual_state == ActualState.RUNNING
    desk.deployment.refresh_from_db()
    assert (desk.deployment.health, desk.deployment.health_code) == (
        Health.DEGRADED,
        "not_compared",
    )
    desk.deployment.account.refresh_from_db()
    assert desk.deployment.account.next_reconcile_at > desk.now
    desk.venue.orders[-1].venue_order_id = "1"

    desk.later(61)
    reconciliation.reconcile_due_accounts(now=desk.now)

    order.refresh_from_db()
    assert order.status == OrderStatus.FILLED
    desk.deployment.refresh_from_db()
    assert desk.deployment.health == Health.OK
