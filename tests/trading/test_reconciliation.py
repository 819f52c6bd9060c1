"""Unknown fates, late news and contradictions, settled by asking the venue."""

from decimal import Decimal

import pytest
from django.db import transaction

from market.enums import Leg, OrderActor, OrderStatus, Side
from market.errors import VenueUnavailableError
from trading.models import (
    AccountPosition,
    ActualState,
    Deployment,
    Fill,
    Health,
    Order,
    OrderTransition,
)
from trading.services import orders, reconciliation, submission

pytestmark = pytest.mark.django_db


class TestUnknownOrders:
    def test_a_timeout_leaves_the_order_unknown_and_reconciliation_finds_it(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        order = desk.enter("0.1")
        assert order.status == OrderStatus.UNKNOWN

        desk.later(2)
        desk.reconcile()

        order.refresh_from_db()
        assert order.status == OrderStatus.FILLED
        assert desk.position.quantity == Decimal("0.0999")
        assert len(desk.venue.orders) == 1

    def test_what_is_found_is_protected(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        desk.enter()

        desk.later(2)
        desk.reconcile()
        desk.submit()

        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED

    def test_an_order_in_doubt_is_never_sent_again(self, desk):
        desk.venue.next_submit(times_out=True)
        desk.enter()

        for _ in range(5):
            desk.later(5)
            desk.submit()
            desk.reconcile()

        assert desk.venue.orders == []

    def test_a_single_look_in_vain_proves_nothing(self, desk):
        desk.venue.next_submit(times_out=True)
        order = desk.enter()

        desk.later(120)
        desk.reconcile()

        order.refresh_from_db()
        assert order.status == OrderStatus.UNKNOWN

    def test_three_looks_far_enough_apart_and_late_enough_prove_absence(self, desk):
        desk.venue.next_submit(times_out=True)
        order = desk.enter()

        for _ in range(7):
            desk.later(11)
            desk.reconcile()

        order.refresh_from_db()
        assert order.status == OrderStatus.ABANDONED
        assert order.absent_lookups >= 3

    def test_looks_that_were_not_answered_are_no_evidence(self, desk):
        desk.venue.next_submit(times_out=True)
        order = desk.enter()

        for _ in range(12):
            desk.later(11)
            desk.venue.next_question(raises=VenueUnavailableError())
            desk.reconcile()

        order.refresh_from_db()
        assert order.status == OrderStatus.UNKNOWN
        assert order.absent_lookups == 0

    def test_an_abandoned_entry_is_a_missed_trade_and_not_a_second_one(self, desk):
        desk.venue.next_submit(times_out=True)
        desk.enter()

        for _ in range(8):
            desk.later(11)
            desk.reconcile()
            desk.submit()

        assert Order.objects.count() == 1
        assert desk.venue.orders == []

    def test_an_abandoned_exit_is_sent_as_a_new_attempt(self, desk):
        desk.enter()
        intent = desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.venue.next_submit(times_out=True)
        desk.submit()

        for _ in range(9):
            desk.later(11)
            desk.reconcile()
            desk.submit()

        attempts = Order.objects.filter(intent=intent).order_by("attempt")
        assert [order.status for order in attempts] == ["ABANDONED", "FILLED"]
        assert desk.position.quantity == 0

    def test_an_abandoned_order_that_turns_up_is_taken_back(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True, hidden_for=8)
        order = desk.enter()
        book, account = desk.venue.book, str(desk.deployment.account.public_id)
        for _ in range(7):
            desk.later(11)
            book.fills, hidden = [], book.fills
            book.deposit(account, "USDT", Decimal(4_000))
            book.deposit(account, "BTC", Decimal("-0.0999"))
            desk.reconcile()
            book.fills = hidden
            book.deposit(account, "USDT", Decimal(-4_000))
            book.deposit(account, "BTC", Decimal("0.0999"))
        order.refresh_from_db()
        assert order.status == OrderStatus.ABANDONED

        for _ in range(8):
            desk.later(61)
            desk.reconcile()

        order.refresh_from_db()
        assert order.status == OrderStatus.FILLED
        assert desk.position.quantity == Decimal("0.0999")

    def test_one_that_is_absent_while_something_like_it_filled_is_left_to_a_person(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True, hidden_for=99)
        order = desk.enter()

        for _ in range(7):
            desk.later(11)
            desk.reconcile()

        order.refresh_from_db()
        assert order.status == OrderStatus.MANUAL_REVIEW
        desk.deployment.refresh_from_db()
        assert desk.deployment.health_code == "order_under_review"


class TestLeftBehind:
    def test_an_order_left_by_a_dead_worker_becomes_unknown_and_is_found(self, desk):
        order = desk.enter()
        sent = Order.objects.get(pk=order.pk)
        assert sent.status == OrderStatus.FILLED

        intent = desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        with transaction.atomic():
            left = orders.create(intent, quantity=intent.quantity, now=desk.now)

        desk.later(11)
        reconciliation.reconcile_due_accounts(now=desk.now)

        left.refresh_from_db()
        assert left.status == OrderStatus.UNKNOWN
        steps = OrderTransition.objects.filter(order=left)
        assert [step.actor for step in steps.order_by("pk")] == ["SUBMITTER", "RECONCILER"]

    def test_one_that_may_still_be_answered_is_left_alone(self, desk):
        order = desk.enter()

        desk.later(1)
        desk.reconcile()

        order.refresh_from_db()
        assert order.status == OrderStatus.FILLED


class TestFills:
    def test_a_stop_that_fills_at_the_venue_is_booked_and_closes_the_position(self, desk):
        desk.enter()
        desk.venue.set_price("BTC/USDT", Decimal(39_000))

        desk.later(16)
        desk.reconcile()

        assert desk.order(Leg.STOP).status == OrderStatus.FILLED
        assert desk.position.quantity == 0
        assert desk.position.realized_pnl == Decimal("-99.9")
        assert desk.position.stop_price is None

    def test_fills_reported_twice_are_booked_once(self, desk):
        desk.venue.reports_fills_twice = True
        desk.venue.next_submit(times_out=True, but_is_accepted=True, parts=2)
        order = desk.enter("0.1")

        desk.later(2)
        desk.reconcile()
        desk.later(20)
        desk.reconcile()

        assert Fill.objects.filter(order=order).count() == 2
        assert desk.position.quantity == Decimal("0.0999")

    def test_what_somebody_else_trades_on_the_account_is_left_alone(self, desk):
        desk.enter("0.1")
        account = str(desk.deployment.account.public_id)
        desk.venue.book.deposit(account, "BTC", Decimal(2))

        desk.later(16)
        desk.reconcile()

        row = AccountPosition.objects.get()
        assert row.external_quantity == 2
        assert row.deployed_quantity == Decimal("0.0999")
        desk.deployment.refresh_from_db()
        assert desk.deployment.health == Health.OK


class TestCancellations:
    def test_a_cancellation_that_was_not_answered_is_asked_for_again(self, desk):
        desk.enter()
        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.venue.next_cancel(times_out=True)

        desk.submit()
        assert desk.order(Leg.STOP).status == OrderStatus.PENDING_CANCEL
        desk.later(3)
        desk.submit()

        assert desk.order(Leg.STOP).status == OrderStatus.CANCELED
        assert desk.position.quantity == 0

    def test_what_waits_for_it_meanwhile_is_not_looked_at_without_end(self, desk):
        desk.enter()
        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.venue.next_cancel(times_out=True)

        desk.submit()

        assert submission.due_accounts(now=desk.now) == []
        desk.later(1)
        assert desk.submit() == 0

    def test_what_waits_for_it_goes_out_as_soon_as_its_end_is_known(self, desk):
        desk.enter()
        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.venue.next_cancel(times_out=True, but_is_canceled=True)
        desk.submit()
        desk.later(0.2)
        Order.objects.update(next_check_at=desk.now)
        desk.reconcile()

        assert submission.due_accounts(now=desk.now) == [desk.deployment.account_id]
        desk.submit()

        assert desk.position.quantity == 0

    def test_one_that_is_refused_again_and_again_is_looked_up_all_the_same(self, desk, settings):
        # The exchange had named another order in its answer, so that no cancellation can be told to fit.
        desk.decide(order_type="LIMIT", price=Decimal(39_000))
        desk.submit()
        order = desk.order(Leg.ENTRY)
        Order.objects.filter(pk=order.pk).update(venue_order_id="of-somebody-else")
        order.refresh_from_db()
        desk.venue.fill(order.client_order_id, quantity=order.quantity, price=Decimal(39_000))
        with transaction.atomic():
            orders.request_cancel(order, actor=OrderActor.STRATEGY, now=desk.now, why="a test")

        for _ in range(4):
            desk.submit()
            desk.reconcile()
            desk.later(settings.HORIZONS.reconcile_s)

        order.refresh_from_db()
        assert order.status == OrderStatus.MANUAL_REVIEW

    def test_one_that_worked_without_an_answer_is_found_out(self, desk):
        desk.enter()
        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.venue.next_cancel(times_out=True, but_is_canceled=True)

        desk.submit()
        desk.later(3)
        desk.submit()

        assert desk.order(Leg.STOP).status == OrderStatus.CANCELED
        assert desk.position.quantity == 0


class TestDrift:
    def test_too_little_at_the_venue_pauses_entries_after_the_second_look(self, desk):
        desk.enter("0.1")
        account = str(desk.deployment.account.public_id)
        desk.venue.book.deposit(account, "BTC", Decimal("-0.05"))

        desk.later(16)
        desk.reconcile()
        desk.deployment.refresh_from_db()
        assert desk.deployment.health == Health.OK
        desk.later(16)
        desk.reconcile()

        desk.deployment.refresh_from_db()
        assert desk.deployment.health == Health.DEGRADED
        assert desk.deployment.health_code == "position_drift"

    def test_it_is_over_when_the_account_holds_enough_again(self, desk):
        self.test_too_little_at_the_venue_pauses_entries_after_the_second_look(desk)
        account = str(desk.deployment.account.public_id)
        desk.venue.book.deposit(account, "BTC", Decimal("0.05"))

        desk.later(16)
        desk.reconcile()

        desk.deployment.refresh_from_db()
        assert desk.deployment.health == Health.OK


class TestHealth:
    def test_a_venue_that_does_not_answer_degrades_and_an_answer_recovers(self, desk):
        desk.venue.next_question(raises=VenueUnavailableError())
        desk.reconcile()
        desk.deployment.refresh_from_db()
        assert desk.deployment.health_code == "exchange_unavailable"

        desk.later(11)
        desk.reconcile()

        desk.deployment.refresh_from_db()
        assert desk.deployment.health == Health.OK

    def test_a_deployment_runs_once_its_account_has_been_compared(self, desk):
        Deployment.objects.update(actual_state=ActualState.STARTING)

        desk.later(1)
        assert reconciliation.reconcile_due_accounts(now=desk.now) == 1

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.RUNNING
