"""From a decision to an order at the venue, and what an answer makes of it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from exchanges.adapters.protocol import Outcome, OutcomeKind
from exchanges.models import AccountKind
from exchanges.services import leases
from market.enums import Leg, OrderStatus, OrderType, Side
from tests.factories import accounts as people
from tests.factories import trading as factory
from trading.models import (
    Deployment,
    DeploymentPosition,
    DesiredState,
    Fill,
    Health,
    IntentStatus,
    Order,
    OrderTransition,
    Reservation,
)
from trading.services import orders, preparation, settlement, submission
from trading.services.venues import Submission

pytestmark = pytest.mark.django_db


class TestEntry:
    def test_an_entry_that_fills_makes_a_position_less_the_fee_taken_in_base(self, desk):
        order = desk.enter("0.1")

        assert order.status == OrderStatus.FILLED
        assert desk.position.quantity == Decimal("0.0999")
        assert desk.position.average_price == 40_000
        assert desk.position.fees == Decimal(4)

    def test_a_filled_entry_gets_a_stop_at_the_venue_sized_to_what_it_holds(self, desk):
        desk.enter("0.1")

        stop = desk.order(Leg.STOP)
        assert stop.status == OrderStatus.ACCEPTED
        assert stop.quantity == Decimal("0.0999")
        assert stop.trigger_price == 39_200
        assert desk.position.stop_price == 39_200
        assert desk.position.target_price == 41_600

    def test_every_step_is_kept_with_its_evidence(self, desk):
        order = desk.enter()

        steps = OrderTransition.objects.filter(order=order).order_by("pk")
        assert [step.to_status for step in steps] == ["SUBMITTING", "ACCEPTED", "FILLED"]
        assert steps[1].evidence["outcome"] == "DONE"

    def test_many_fills_of_one_order_add_up(self, desk):
        desk.venue.next_submit(parts=3)

        order = desk.enter("0.1")

        assert Fill.objects.filter(order=order).count() == 3
        assert order.filled_quantity == Decimal("0.1")
        assert desk.position.quantity == Decimal("0.0999")

    def test_the_same_decision_is_sent_once_however_often_somebody_comes_by(self, desk):
        desk.enter()

        desk.submit()
        desk.submit()

        assert len([o for o in desk.venue.orders if o.request.side is Side.BUY]) == 1

    def test_what_its_stop_could_not_sell_is_not_bought(self, desk):
        # Worth 5.20, more than the least of 5, and less than that 5 % below.
        intent = desk.decide(quantity=Decimal("0.00013"), stop_percent=5.0)

        assert desk.submit() == 0

        intent.refresh_from_db()
        assert (intent.status, intent.reason_code) == ("DENIED", "NOTIONAL_BELOW_MINIMUM")

    def test_a_rejected_entry_releases_its_reserved_balance(self, desk):
        desk.venue.next_submit(rejects_with="insufficient_balance")

        order = desk.enter()

        assert order.status == OrderStatus.REJECTED
        assert Reservation.objects.get().released_at is not None
        assert desk.position.quantity == 0

    def test_an_order_that_never_left_is_denied_and_the_entry_given_up(self, desk):
        desk.venue.next_submit(is_not_sent=True)

        order = desk.enter()

        assert order.status == OrderStatus.DENIED
        assert desk.venue.orders == []

    def test_an_entry_for_which_the_venue_has_no_room_now_is_tried_again(self, desk):
        desk.venue.next_submit(is_not_sent=True, rejects_with="rate_limited")

        first = desk.enter()
        at_once = desk.submit()
        desk.later(2)
        desk.submit()

        entries = Order.objects.filter(intent=first.intent).order_by("attempt")
        assert [order.status for order in entries] == ["DENIED", "FILLED"]
        assert (at_once, first.reason_code) == (0, "rate_limited")

    def test_it_is_given_up_when_its_bar_is_too_old(self, desk):
        desk.venue.next_submit(is_not_sent=True, rejects_with="rate_limited")
        first = desk.enter()

        desk.later(3_600)
        desk.submit()

        first.intent.refresh_from_db()
        assert first.intent.status == IntentStatus.DENIED
        assert desk.venue.orders == []


class TestDenial:
    def _denial(self, desk, **fields):
        intent = desk.decide(**fields)
        desk.submit()
        intent.refresh_from_db()
        assert intent.status == IntentStatus.DENIED
        assert desk.venue.orders == []
        return intent.reason_code

    def test_of_a_deployment_that_was_stopped_meanwhile(self, desk):
        Deployment.objects.update(desired_state=DesiredState.STOPPED)

        assert self._denial(desk) == "DEPLOYMENT_INACTIVE"

    def test_of_a_decision_from_before_the_last_command(self, desk):
        assert self._denial(desk, epoch=desk.deployment.epoch - 1) == "DEPLOYMENT_INACTIVE"

    def test_of_an_owner_who_was_deactivated(self, desk):
        desk.deployment.owner.is_active = False
        desk.deployment.owner.save()

        assert self._denial(desk) == "OWNER_INACTIVE"

    def test_of_an_account_whose_key_does_not_work(self, desk):
        account = desk.deployment.account
        account.status, account.connected_at = "INVALID", None
        account.save()

        assert self._denial(desk) == "ACCOUNT_NOT_CONNECTED"

    def test_of_a_market_that_does_not_trade(self, desk):
        desk.instrument.is_active = False
        desk.instrument.save()

        assert self._denial(desk) == "MARKET_INACTIVE"

    def test_of_an_entry_on_an_old_bar(self, desk):
        decided_at = desk.now
        desk.later(61)

        assert self._denial(desk, bar_close_at=decided_at) == "DATA_STALE"

    def test_of_less_than_one_lot(self, desk):
        assert self._denial(desk, quantity=Decimal("0.000001")) == "PRECISION_ROUNDED_TO_ZERO"

    def test_of_less_than_the_minimum(self, desk):
        assert self._denial(desk, quantity=Decimal("0.0001")) == "NOTIONAL_BELOW_MINIMUM"

    def test_of_more_than_is_free(self, desk):
        assert self._denial(desk, quantity=Decimal(3)) == "INSUFFICIENT_FREE_BALANCE"

    def test_of_an_exit_without_a_position(self, desk):
        code = self._denial(desk, leg=Leg.EXIT, side=Side.SELL)

        assert code == "REDUCE_ONLY_WOULD_INCREASE_POSITION"

    def test_of_the_second_of_two_entries_that_together_cost_more_than_is_free(self, desk):
        first = desk.decide(quantity=Decimal("1.5"))
        other = factory.make_deployment(
            desk.deployment.account, now=desk.now, name="Other", is_subscribed=False
        )
        second = factory.make_intent(other, desk.instrument, now=desk.now, quantity=Decimal("1.5"))

        desk.submit()

        first.refresh_from_db()
        second.refresh_from_db()
        assert first.status == IntentStatus.ORDERED
        assert second.reason_code == "INSUFFICIENT_FREE_BALANCE"

    @pytest.mark.parametrize("seconds", [0, 5, 20, 3_600])
    def test_of_no_entry_for_money_that_rests_at_the_venue_and_is_set_aside_here(
        self, desk, seconds
    ):
        # 100,000 are there: what rests takes half of it once, and not twice.
        resting = desk.decide(
            quantity=Decimal("1.25"), order_type=OrderType.LIMIT, price=Decimal(39_000)
        )
        desk.submit()
        desk.now += timedelta(seconds=seconds)
        second, third = (self._of_another(desk, name, "1.2") for name in ("Second", "Third"))

        desk.submit()

        assert Order.objects.get(intent=resting).status == OrderStatus.ACCEPTED
        assert Order.objects.get(intent=second).status == OrderStatus.FILLED
        third.refresh_from_db()
        assert third.reason_code == "INSUFFICIENT_FREE_BALANCE"

    def _of_another(self, desk, name, quantity):
        """Return a decision of another deployment of the account."""
        other = factory.make_deployment(
            desk.deployment.account, now=desk.now, name=name, is_subscribed=False
        )
        return factory.make_intent(other, desk.instrument, now=desk.now, quantity=Decimal(quantity))

    def test_of_entries_while_the_fate_of_an_order_is_unknown(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        desk.enter()

        second = desk.decide()
        desk.submit()

        second.refresh_from_db()
        assert second.reason_code == "ACCOUNT_BLOCKED_UNKNOWN_ORDER"


class TestExit:
    def test_the_stop_is_canceled_first_and_then_everything_is_sold(self, desk):
        desk.enter()

        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.submit()

        assert desk.order(Leg.STOP).status == OrderStatus.CANCELED
        assert desk.order(Leg.EXIT).status == OrderStatus.FILLED
        assert desk.position.quantity == 0
        assert desk.position.stop_price is None

    def test_an_exit_never_sells_more_than_is_free(self, desk):
        desk.enter()
        book, account = desk.venue.book, str(desk.deployment.account.public_id)
        book.deposit(account, "BTC", Decimal("-0.05"))

        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.submit()

        assert desk.order(Leg.EXIT).quantity == Decimal("0.0499")

    def test_a_stop_that_filled_just_before_leaves_nothing_to_exit(self, desk):
        desk.enter()
        desk.venue.book.move_price("BTC/USDT", Decimal(39_000))

        intent = desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.submit()

        intent.refresh_from_db()
        assert desk.order(Leg.STOP).status == OrderStatus.FILLED
        assert desk.position.quantity == 0
        assert intent.status == IntentStatus.SUPERSEDED
        assert len([o for o in desk.venue.orders if o.request.side is Side.SELL]) == 1

    def test_an_exit_that_the_venue_refuses_is_tried_again(self, desk):
        desk.enter()
        intent = desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.venue.next_submit(rejects_with="busy")

        desk.submit()
        desk.later(2)
        desk.submit()

        attempts = Order.objects.filter(intent=intent).order_by("attempt")
        assert [order.status for order in attempts] == ["REJECTED", "FILLED"]
        assert desk.position.quantity == 0

    def test_an_exit_that_keeps_failing_calls_for_a_person(self, desk):
        desk.enter()
        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))

        for _ in range(3):
            desk.venue.next_submit(rejects_with="busy")
            desk.submit()
            desk.later(5)

        desk.deployment.refresh_from_db()
        assert desk.deployment.health == Health.DEGRADED
        assert desk.deployment.health_code == "exit_failing"


class TestStop:
    def test_a_stop_that_the_venue_refuses_closes_the_position_at_once(self, desk):
        desk.decide()
        desk.venue.next_submit()
        desk.venue.next_submit(rejects_with="too_many_orders")

        desk.submit()

        desk.deployment.refresh_from_db()
        assert desk.order(Leg.STOP).status == OrderStatus.REJECTED
        assert desk.order(Leg.EXIT).status == OrderStatus.FILLED
        assert desk.position.quantity == 0

    def test_a_stop_that_did_not_arrive_is_sent_again(self, desk):
        desk.decide()
        desk.venue.next_submit()
        desk.venue.next_submit(is_not_sent=True)
        desk.submit()

        desk.later(2)
        desk.submit()

        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED
        assert desk.order(Leg.STOP).attempt == 1


@pytest.mark.parametrize("code", ["right_lost", "rate_limited", "venue_unavailable"])
def test_an_exit_on_paper_that_was_not_sent_is_tried_again(memory_venue, instrument, now, code):
    account = factory.make_account(
        people.make_person(), instrument, kind=AccountKind.PAPER, now=now
    )
    deployment = factory.make_deployment(account, now=now)
    DeploymentPosition.objects.filter(deployment=deployment).update(
        quantity=Decimal("0.1"), average_price=Decimal(40_000), opened_at=now
    )
    intent = factory.make_intent(deployment, instrument, now=now, leg=Leg.EXIT, side=Side.SELL)
    with transaction.atomic():
        order = orders.create(intent, quantity=intent.quantity, now=now)
    call = Submission(account.pk, order.pk, preparation.request_of(order), order.submitted_at)

    settlement.settle_many([(call, Outcome(OutcomeKind.NOT_SENT, code=code))], now=now)
    at_once = submission.submit_due_intents(now=now)
    submission.submit_due_intents(now=now + timedelta(seconds=5))

    attempts = Order.objects.filter(intent=intent).order_by("attempt")
    assert at_once == 0
    assert [each.status for each in attempts] == ["DENIED", "ACCEPTED"]


def test_accounts_are_served_by_one_claim_at_a_time(desk):
    desk.decide()
    held = leases.claim_accounts(account_ids=[desk.deployment.account_id], seconds=60)

    assert desk.submit() == 0
    leases.release(held[0])
    assert desk.submit() == 2


def test_a_claim_that_was_lost_sends_nothing(desk):
    desk.decide()
    held = leases.claim_accounts(account_ids=[desk.deployment.account_id], seconds=60)
    leases.take_over(account_id=desk.deployment.account_id, seconds=60)

    assert submission.serve_accounts(held, now=desk.now) == 0
    assert desk.venue.orders == []
