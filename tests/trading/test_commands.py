"""Stop, flatten, pause and resume: at once, once, and against whatever is under way."""

import uuid
from decimal import Decimal

import pytest
from django.db import transaction

from exchanges.models import AccountKind
from exchanges.services import leases
from foundation.audit import Actor
from market.enums import Leg, OrderStatus, Side
from market.errors import InvalidInputError, NotFoundError
from tests.factories import accounts as people
from tests.factories import trading as factory
from trading.models import (
    ActualState,
    DeploymentCommand,
    DeploymentRevision,
    DesiredState,
    Fill,
    IntentStatus,
    Order,
    StopPolicy,
)
from trading.services import commands
from trading.services.wishes import DeploymentEndedError, KeyReusedError

pytestmark = pytest.mark.django_db


def _tell(deployment, kind, *, now, key="k1", owner=None):
    owner = owner or deployment.owner
    return commands.request_command(
        owner=owner,
        deployment_public_id=deployment.public_id,
        kind=kind,
        idempotency_key=key,
        by=Actor.person(owner.pk),
        now=now,
    )


def _act(command, *, now):
    done = commands.act_on_command(command_id=command.pk, now=now)
    command.refresh_from_db()
    return done


class TestFlatten:
    def test_cancels_the_stop_and_sells_everything_at_once(self, desk):
        desk.enter("0.1")

        command = _tell(desk.deployment, "FLATTEN", now=desk.now)
        assert _act(command, now=desk.now)

        assert desk.position.quantity == 0
        assert desk.order(Leg.STOP).status == OrderStatus.CANCELED
        desk.deployment.refresh_from_db()
        assert desk.deployment.desired_state == DesiredState.RUNNING

    def test_does_not_wait_for_whoever_serves_the_account(self, desk):
        desk.enter("0.1")
        leases.claim_accounts(account_ids=[desk.deployment.account_id], seconds=60)

        command = _tell(desk.deployment, "FLATTEN", now=desk.now)

        assert _act(command, now=desk.now)
        assert desk.position.quantity == 0

    def test_takes_the_account_from_nobody_again_and_again(self, desk):
        desk.enter("0.1")
        desk.venue.next_cancel(times_out=True)
        command = _tell(desk.deployment, "FLATTEN", now=desk.now)
        assert not _act(command, now=desk.now)
        (lease,) = leases.claim_accounts(account_ids=[desk.deployment.account_id], seconds=60)
        desk.later(10)

        assert not _act(command, now=desk.now)
        with transaction.atomic():
            leases.require(lease, seconds=1)
        leases.release(lease)

        assert _act(command, now=desk.now)
        assert desk.position.quantity == 0

    def test_joins_an_exit_that_is_under_way(self, desk):
        desk.enter("0.1")
        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))

        command = _tell(desk.deployment, "FLATTEN", now=desk.now)

        assert _act(command, now=desk.now)
        assert Order.objects.filter(leg=Leg.EXIT.value).count() == 1

    def test_without_a_position_is_done_at_once(self, desk):
        command = _tell(desk.deployment, "FLATTEN", now=desk.now)

        assert _act(command, now=desk.now)
        assert desk.venue.orders == []


class TestStop:
    def test_closes_the_position_and_ends_the_deployment(self, desk):
        desk.enter("0.1")

        command = _tell(desk.deployment, "STOP", now=desk.now)
        assert _act(command, now=desk.now)

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPED
        assert desk.position.quantity == 0
        assert DeploymentRevision.objects.get().to_bar_at == desk.now

    def test_leaves_the_position_with_its_stop_if_that_was_chosen(self, desk):
        desk.deployment.stop_policy = StopPolicy.PROTECT
        desk.deployment.save()
        desk.enter("0.1")

        command = _tell(desk.deployment, "STOP", now=desk.now)
        assert _act(command, now=desk.now)

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPED
        assert desk.position.quantity == Decimal("0.0999")
        stop = desk.order(Leg.STOP)
        assert stop.status == OrderStatus.ACCEPTED
        assert stop.quantity == Decimal("0.0999")

    def test_takes_the_right_to_open_from_what_was_decided_before(self, desk):
        intent = desk.decide()

        _tell(desk.deployment, "STOP", now=desk.now)
        desk.submit()

        intent.refresh_from_db()
        assert intent.status == IntentStatus.SUPERSEDED
        assert desk.venue.orders == []

    def test_waits_for_an_entry_whose_fate_is_unknown_and_closes_what_it_opened(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        desk.enter("0.1")
        command = _tell(desk.deployment, "STOP", now=desk.now)
        assert not _act(command, now=desk.now)
        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPING

        desk.later(2)
        desk.reconcile()
        assert _act(command, now=desk.now)

        assert desk.position.quantity == 0
        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPED

    def test_an_ended_deployment_takes_no_command(self, desk):
        _act(_tell(desk.deployment, "STOP", now=desk.now), now=desk.now)

        with pytest.raises(DeploymentEndedError):
            _tell(desk.deployment, "FLATTEN", now=desk.now, key="k2")
        assert DeploymentCommand.objects.count() == 1


class TestPause:
    def test_lets_nothing_open_until_it_is_resumed(self, desk):
        _tell(desk.deployment, "PAUSE", now=desk.now)
        desk.deployment.refresh_from_db()
        intent = desk.decide()
        desk.submit()
        intent.refresh_from_db()
        assert intent.reason_code == "DEPLOYMENT_INACTIVE"

        _tell(desk.deployment, "RESUME", now=desk.now, key="k2")
        desk.later(1)
        desk.reconcile()

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.RUNNING


class TestKeys:
    def test_the_same_key_is_the_same_command(self, desk):
        first = _tell(desk.deployment, "PAUSE", now=desk.now)

        assert _tell(desk.deployment, "PAUSE", now=desk.now).pk == first.pk
        desk.deployment.refresh_from_db()
        assert desk.deployment.epoch == 1

    def test_the_same_key_for_something_else_is_refused(self, desk):
        _tell(desk.deployment, "PAUSE", now=desk.now)

        with pytest.raises(KeyReusedError):
            _tell(desk.deployment, "STOP", now=desk.now)

    @pytest.mark.parametrize(("kind", "key"), [("EXPLODE", "k"), ("STOP", ""), ("STOP", "a|b")])
    def test_what_makes_no_sense_is_refused(self, desk, kind, key):
        with pytest.raises(InvalidInputError):
            _tell(desk.deployment, kind, now=desk.now, key=key)

    def test_a_deployment_of_somebody_else_is_not_found(self, desk):
        stranger = people.make_person("eve@example.com")

        with pytest.raises(NotFoundError):
            _tell(desk.deployment, "STOP", now=desk.now, owner=stranger)


def test_a_paper_position_is_closed_by_hand_at_the_last_price(memory_venue, instrument, now):
    owner = people.make_person()
    account = factory.make_account(owner, instrument, kind=AccountKind.PAPER, now=now)
    deployment = factory.make_deployment(account, now=now)
    position = deployment.positions.get()
    position.quantity, position.average_price = Decimal("0.1"), Decimal(40_000)
    position.last_price = Decimal(41_000)
    position.save()

    command = _tell(deployment, "STOP", now=now, key=str(uuid.uuid4()))
    assert _act(command, now=now)

    fill = Fill.objects.get()
    assert fill.is_manual
    assert fill.price == Decimal("40979.50")
    deployment.refresh_from_db()
    assert deployment.actual_state == ActualState.STOPPED
