"""The last look before the wire, with processes that were paused in between."""

from collections.abc import Sequence

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from exchanges.models import ExchangeAccount
from exchanges.services import leases
from exchanges.services.leases import AccountLease, AccountLeaseLostError
from market.enums import Leg, Side
from trading.models import Deployment, Order
from trading.services import fencing, orders

pytestmark = pytest.mark.django_db

LONG_S = 60.0


def claim(account_id: int, *, seconds: float = LONG_S) -> Sequence[AccountLease]:
    return leases.claim_accounts(account_ids=[account_id], seconds=seconds)


def prepared(desk, *, leg: Leg = Leg.ENTRY) -> Order:
    side = Side.BUY if leg is Leg.ENTRY else Side.SELL
    intent = desk.decide(leg=leg, side=side)
    with transaction.atomic():
        return orders.create(intent, quantity=intent.quantity, now=desk.now)


@pytest.mark.parametrize("leg", [Leg.ENTRY, Leg.EXIT])
def test_what_was_prepared_under_a_claim_that_is_still_ours_may_go(desk, leg):
    held = claim(desk.deployment.account_id)
    order = prepared(desk, leg=leg)

    assert fencing.sendable([order.pk], held=held) == {order.pk}


@pytest.mark.parametrize("leg", [Leg.ENTRY, Leg.EXIT])
def test_nothing_goes_once_somebody_else_serves_the_account(desk, leg):
    held = claim(desk.deployment.account_id)
    order = prepared(desk, leg=leg)
    leases.take_over(account_id=desk.deployment.account_id, seconds=LONG_S)

    assert fencing.sendable([order.pk], held=held) == frozenset()


def test_a_claim_that_is_about_to_end_is_none(desk):
    held = claim(desk.deployment.account_id, seconds=settings.HORIZONS.wire_margin_s / 2)
    order = prepared(desk)

    assert fencing.sendable([order.pk], held=held) == frozenset()


@pytest.mark.parametrize("change", ["epoch", "desired_state"])
def test_a_command_since_the_decision_holds_back_what_opens_and_not_what_closes(desk, change):
    held = claim(desk.deployment.account_id)
    entry, leave = prepared(desk), prepared(desk, leg=Leg.EXIT)
    after = {"epoch": desk.deployment.epoch + 1, "desired_state": "STOPPED"}
    Deployment.objects.filter(pk=desk.deployment.pk).update(**{change: after[change]})

    assert fencing.sendable([entry.pk, leave.pk], held=held) == {leave.pk}


def test_what_reconciliation_has_taken_over_does_not_go(desk):
    desk.venue.next_submit(times_out=True)
    order = desk.enter()

    assert fencing.sendable([order.pk], held=claim(order.account_id)) == frozenset()


def test_a_hundred_orders_take_one_statement(desk):
    held = claim(desk.deployment.account_id)
    made = [prepared(desk) for _ in range(3)]

    with CaptureQueriesContext(connection) as captured:
        fencing.sendable([order.pk for order in made], held=held)

    assert len(captured) == 1


class TwoRunners(RuleBasedStateMachine):
    """Two processes that serve one account, each of which may be paused at any place.

    The reference is a single fact: whose claim came last, and whether it has run out.
    """

    account: ExchangeAccount

    def __init__(self) -> None:
        super().__init__()
        ExchangeAccount.objects.filter(pk=self.account.pk).update(lease_until=None)
        self.held: dict[int, AccountLease | None] = {1: None, 2: None}
        self.holder: int | None = None
        self.runs_out = True

    @rule(runner=st.sampled_from([1, 2]))
    def one_claims(self, runner: int) -> None:
        got = claim(self.account.pk)
        # Nobody gets what somebody has whose time is not over.
        assert bool(got) == (self.holder is None or self.runs_out)
        if got:
            self.held[runner] = got[0]
            self.holder, self.runs_out = runner, False

    @rule(runner=st.sampled_from([1, 2]))
    def a_command_takes_over(self, runner: int) -> None:
        self.held[runner] = leases.take_over(account_id=self.account.pk, seconds=LONG_S)
        self.holder, self.runs_out = runner, False

    @rule()
    def the_holder_is_paused_until_its_time_is_over(self) -> None:
        ExchangeAccount.objects.filter(pk=self.account.pk).update(lease_until="2000-01-01T00:00Z")
        self.runs_out = True

    @rule(runner=st.sampled_from([1, 2]))
    def one_gives_back(self, runner: int) -> None:
        lease = self.held[runner]
        if lease is not None:
            leases.release(lease)
            if self.holder == runner:
                self.holder = None
            self.held[runner] = None

    @rule(runner=st.sampled_from([1, 2]))
    def one_wakes_up_and_writes(self, runner: int) -> None:
        lease = self.held[runner]
        if lease is None:
            return
        try:
            with transaction.atomic():
                leases.require(lease, seconds=LONG_S)
        except AccountLeaseLostError:
            assert self.holder != runner
        else:
            assert self.holder == runner
            self.runs_out = False

    @invariant()
    def at_most_one_may_write(self) -> None:
        epochs = {lease.epoch for lease in self.held.values() if lease is not None}
        assert len(epochs) == len([each for each in self.held.values() if each is not None])


def test_of_two_paused_runners_only_the_last_to_claim_may_write(live_account):
    class TwoRunnersOfThisAccount(TwoRunners):
        account = live_account

    run_state_machine_as_test(
        TwoRunnersOfThisAccount,
        settings=hypothesis_settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
