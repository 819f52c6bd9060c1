"""What operators do to deployments and orders of others, and what the owners hear of it."""

from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.models import Mail, MailKind, Notification, NotificationKind, User
from accounts.services import people as person_services
from billing.services.entitlements import PlanLimitError, SubscriptionRequiredError
from foundation.audit import Actor
from foundation.models import AuditEntry
from market.enums import Leg, OrderStatus
from market.errors import VenueUnavailableError
from tests.billing.races import together
from tests.factories import accounts as people
from tests.factories import trading as factory
from tests.trading.telling import act, carry_out, deliver_events, tell
from tests.trading.test_rights import end_subscription
from trading.models import (
    ActualState,
    Deployment,
    DeploymentCommand,
    DeploymentInstrument,
    DesiredState,
    Fill,
    IntentStatus,
    Order,
    OrderTransition,
    StopPolicy,
)
from trading.services import erasures, operators, reviews
from trading.services.operators import NoteRequiredError
from trading.services.restarts import OwnerInactiveError, StrategyChangedError
from trading.services.reviews import HasFilledError, NotFilledError, NotUnderReviewError
from trading.services.terms import AccountNotReadyError
from trading.services.wishes import DeploymentEndedError, DeploymentNotEndedError

pytestmark = pytest.mark.django_db

OPERATOR = Actor.person(7_777)


def force_stop(desk, *, note: str = "Too many orders.") -> DeploymentCommand:
    return operators.force_stop(
        deployment_id=desk.deployment.pk, by=OPERATOR, now=desk.now, note=note
    )


def restart(desk) -> Deployment:
    return operators.restart(deployment_id=desk.deployment.pk, by=OPERATOR, now=desk.now)


def stopped(desk, policy: StopPolicy = StopPolicy.FLATTEN) -> None:
    """Let the deployment of the desk end."""
    Deployment.objects.update(stop_policy=policy)
    desk.deployment.refresh_from_db()
    act(tell(desk.deployment, "STOP", now=desk.now, key="stop"), now=desk.now)
    desk.deployment.refresh_from_db()


class TestForceStop:
    def test_takes_the_right_to_open_at_once_and_runs_the_stop_policy(self, desk):
        desk.enter("0.1")
        waiting = desk.decide(key="later")

        force_stop(desk)
        desk.submit()
        carry_out(now=desk.now)

        waiting.refresh_from_db()
        desk.deployment.refresh_from_db()
        assert waiting.status == IntentStatus.SUPERSEDED
        assert desk.position.quantity == 0
        assert desk.deployment.actual_state == ActualState.STOPPED
        assert desk.deployment.desired_state == DesiredState.STOPPED

    @pytest.mark.parametrize("state", ["STARTING", "RUNNING", "PAUSED", "STOPPING"])
    def test_works_in_every_state_that_is_not_an_end(self, desk, state):
        Deployment.objects.update(actual_state=state)

        force_stop(desk)
        carry_out(now=desk.now)

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPED

    def test_loses_nothing_of_an_order_that_is_on_its_way(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        entry = desk.enter("0.1")
        force_stop(desk)
        carry_out(now=desk.now)
        desk.deployment.refresh_from_db()
        assert entry.status == OrderStatus.UNKNOWN
        assert desk.deployment.actual_state == ActualState.STOPPING

        desk.later(2)
        desk.reconcile()
        carry_out(now=desk.now)

        entry.refresh_from_db()
        assert entry.status == OrderStatus.FILLED
        assert desk.position.quantity == 0
        assert {fill.order.leg for fill in Fill.objects.select_related("order")} >= {
            "ENTRY",
            "EXIT",
        }
        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPED

    def test_with_the_position_left_what_filled_in_between_is_protected_first(self, desk):
        Deployment.objects.update(stop_policy=StopPolicy.PROTECT)
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        desk.enter("0.1")
        force_stop(desk)
        carry_out(now=desk.now)

        desk.later(2)
        desk.reconcile()
        desk.submit()
        carry_out(now=desk.now)

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPED
        assert desk.position.quantity == Decimal("0.0999")
        stop = desk.order(Leg.STOP)
        assert (stop.status, stop.quantity) == (OrderStatus.ACCEPTED, Decimal("0.0999"))

    def test_needs_a_note_and_leaves_it_in_the_audit_log(self, desk):
        with pytest.raises(NoteRequiredError):
            force_stop(desk, note="  ")

        force_stop(desk, note="Runs against our rules.")

        entry = AuditEntry.objects.get(verb="deployment.force_stopped")
        assert entry.actor_identifier == "7777"
        assert entry.detail["note"] == "Runs against our rules."

    def test_one_that_has_ended_is_left_alone(self, desk):
        stopped(desk)

        with pytest.raises(DeploymentEndedError):
            force_stop(desk)

    @pytest.mark.django_db(transaction=True)
    def test_two_operators_at_once_stop_it_once(self, desk):
        results = together([lambda: force_stop(desk)] * 2)

        assert len({result.pk for result in results}) == 1
        desk.deployment.refresh_from_db()
        assert desk.deployment.epoch == 1


class TestRestart:
    def test_goes_on_in_the_same_row_from_the_next_bar_with_clean_marks(self, desk):
        stopped(desk)
        DeploymentInstrument.objects.update(marks={"cooldown_until_ms": 9_999_999_999_999})
        desk.later(90)

        restart(desk)
        desk.reconcile()

        desk.deployment.refresh_from_db()
        assert desk.deployment.desired_state == DesiredState.RUNNING
        assert desk.deployment.actual_state == ActualState.RUNNING
        assert desk.deployment.stopped_at is None
        row = DeploymentInstrument.objects.get()
        assert row.is_active
        assert "cooldown_until_ms" not in row.marks
        first, second = desk.deployment.revisions.order_by("number")
        assert first.to_bar_at is not None
        assert second.to_bar_at is None
        assert second.parameters == first.parameters
        assert second.from_bar_at > first.from_bar_at

    def test_trades_again_and_keeps_what_it_has_earned(self, desk):
        desk.enter("0.1")
        stopped(desk)
        before = desk.position.realized_pnl
        fills = Fill.objects.count()

        restart(desk)
        desk.reconcile()
        desk.deployment.refresh_from_db()
        order = desk.enter("0.1")

        assert order.status == OrderStatus.FILLED
        assert desk.position.quantity == Decimal("0.0999")
        assert desk.position.realized_pnl == before
        assert Fill.objects.count() == fills + 1

    def test_takes_a_position_up_again_that_was_left_with_its_stop(self, desk):
        desk.enter("0.1")
        stopped(desk, StopPolicy.PROTECT)

        restart(desk)
        desk.reconcile()
        desk.submit()

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.RUNNING
        assert Order.objects.filter(leg=Leg.STOP.value).count() == 1
        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED

    def test_waits_while_the_account_holds_less_than_it_should(self, desk):
        desk.enter("0.1")
        stopped(desk, StopPolicy.PROTECT)
        desk.venue.book.deposit(str(desk.deployment.account.public_id), "BTC", Decimal("-0.05"))

        restart(desk)
        desk.reconcile()

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STARTING

    def test_needs_the_owner_their_subscription_and_a_place_in_the_plan(self, desk):
        owner = desk.deployment.owner
        stopped(desk)
        for number in range(3):
            factory.make_deployment(desk.deployment.account, now=desk.now, name=f"No {number}")
        with pytest.raises(PlanLimitError):
            restart(desk)

        end_subscription(owner, now=desk.now)
        with pytest.raises(SubscriptionRequiredError):
            restart(desk)

        person_services.deactivate_person(person_id=owner.pk, by=OPERATOR, now=desk.now)
        with pytest.raises(OwnerInactiveError):
            restart(desk)

    def test_needs_a_connected_account_and_the_same_strategy(self, desk):
        stopped(desk)
        account = desk.deployment.account
        account.status, account.connected_at = "INVALID", None
        account.save()
        with pytest.raises(AccountNotReadyError):
            restart(desk)

        account.status, account.connected_at = "ACTIVE", desk.now
        account.save()
        version = desk.deployment.strategy_version
        version.strategy.versions.create(
            number=2,
            code_fingerprint=version.code_fingerprint,
            parameters_schema=version.parameters_schema,
        )
        with pytest.raises(StrategyChangedError):
            restart(desk)

    @pytest.mark.django_db(transaction=True)
    def test_two_operators_at_once_start_it_once(self, desk):
        stopped(desk)

        results = together([lambda: restart(desk)] * 2)

        assert sum(isinstance(each, Deployment) for each in results) == 1
        assert sum(isinstance(each, DeploymentNotEndedError) for each in results) == 1
        assert desk.deployment.revisions.count() == 2

    def test_is_the_owners_own_button_too(self, desk):
        stopped(desk)

        command = tell(desk.deployment, "START", now=desk.now, key="again")

        desk.deployment.refresh_from_db()
        assert command.done_at == desk.now
        assert desk.deployment.actual_state == ActualState.STARTING
        with pytest.raises(DeploymentNotEndedError):
            tell(desk.deployment, "START", now=desk.now, key="and-again")


@pytest.fixture
def contradiction(desk) -> Order:
    """An order that the venue denies to know while something like it has filled."""
    desk.venue.next_submit(times_out=True, but_is_accepted=True, hidden_for=99)
    order: Order = desk.enter("0.1")
    for _ in range(7):
        desk.later(11)
        desk.reconcile()
    order.refresh_from_db()
    assert order.status == OrderStatus.MANUAL_REVIEW
    return order


class TestReview:
    def test_asked_again_its_fills_are_booked_and_only_the_operator_ends_it(
        self, desk, contradiction
    ):
        found = desk.venue.find(contradiction.client_order_id)
        found.hidden_for = 0

        reviews.ask_again(order_id=contradiction.pk, by=OPERATOR, now=desk.now)
        desk.reconcile()
        desk.submit()

        contradiction.refresh_from_db()
        assert contradiction.status == OrderStatus.MANUAL_REVIEW
        assert desk.position.quantity == Decimal("0.0999")
        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED

        reviews.close(
            order_id=contradiction.pk, closed_as="FILLED", note="Seen.", by=OPERATOR, now=desk.now
        )

        contradiction.refresh_from_db()
        desk.deployment.refresh_from_db()
        assert contradiction.status == OrderStatus.FILLED
        assert desk.deployment.health == "OK"

    def test_what_is_not_booked_is_not_closed_as_filled(self, desk, contradiction):
        with pytest.raises(NotFilledError):
            reviews.close(
                order_id=contradiction.pk, closed_as="FILLED", note="?", by=OPERATOR, now=desk.now
            )

    def test_an_order_in_doubt_may_be_given_up_and_nothing_else(self, desk):
        desk.venue.next_submit(times_out=True)
        order = desk.enter("0.1")

        with pytest.raises(NotUnderReviewError):
            reviews.close(
                order_id=order.pk, closed_as="CANCELED", note="?", by=OPERATOR, now=desk.now
            )
        reviews.close(
            order_id=order.pk, closed_as="ABANDONED", note="Not there.", by=OPERATOR, now=desk.now
        )

        order.refresh_from_db()
        assert order.status == OrderStatus.ABANDONED

    def test_an_answer_that_does_not_help_is_kept_and_changes_nothing(self, desk, contradiction):
        reviews.ask_again(order_id=contradiction.pk, by=OPERATOR, now=desk.now)
        desk.reconcile()

        contradiction.refresh_from_db()
        assert contradiction.status == OrderStatus.MANUAL_REVIEW
        assert contradiction.next_check_at is None
        last = OrderTransition.objects.filter(order=contradiction).latest("pk")
        assert last.evidence == {"asked_again": "not known there"}

    def test_closed_as_seen_it_books_no_fill_and_entries_are_possible_again(
        self, desk, contradiction
    ):
        reviews.close(
            order_id=contradiction.pk,
            closed_as="CANCELED",
            note="Not in the exchange's history.",
            by=OPERATOR,
            now=desk.now,
        )

        contradiction.refresh_from_db()
        desk.deployment.refresh_from_db()
        assert contradiction.status == OrderStatus.CANCELED
        assert not Fill.objects.exists()
        assert desk.deployment.health == "OK"
        last = OrderTransition.objects.filter(order=contradiction).latest("pk")
        assert (last.from_status, last.actor) == ("MANUAL_REVIEW", "OPERATOR")
        assert last.evidence["note"] == "Not in the exchange's history."

    def test_what_has_filled_in_part_did_reach_the_exchange(self, desk, contradiction):
        Order.objects.filter(pk=contradiction.pk).update(filled_quantity=Decimal("0.01"))

        with pytest.raises(HasFilledError):
            reviews.close(
                order_id=contradiction.pk, closed_as="REJECTED", note="?", by=OPERATOR, now=desk.now
            )

    def test_an_order_that_contradicts_nothing_is_not_touched(self, desk):
        order = desk.enter("0.1")

        with pytest.raises(NotUnderReviewError):
            reviews.close(
                order_id=order.pk, closed_as="CANCELED", note="?", by=OPERATOR, now=desk.now
            )


class TestWhatTheOwnerHears:
    def told(self, kind: NotificationKind) -> list[Notification]:
        return list(Notification.objects.filter(kind=kind).order_by("pk"))

    def test_of_their_own_stop_on_the_page_only(self, desk):
        stopped(desk)

        note = self.told(NotificationKind.DEPLOYMENT_STOPPED)[0]
        assert "You stopped it." in note.body
        assert note.path == reverse("trading:detail", args=[desk.deployment.public_id])
        assert not Mail.objects.filter(kind=MailKind.DEPLOYMENT_STOPPED).exists()

    def test_of_an_operators_stop_by_mail_with_the_reason(self, desk):
        force_stop(desk, note="Runs against our rules.")
        carry_out(now=desk.now)

        mail = Mail.objects.get(kind=MailKind.DEPLOYMENT_STOPPED)
        assert mail.recipient == desk.deployment.owner.email
        assert "An operator stopped it. Runs against our rules." in mail.facts["body"]

    def test_of_a_position_that_is_left_and_whether_its_stop_rests(self, desk):
        desk.enter("0.1")
        stopped(desk, StopPolicy.PROTECT)

        note = self.told(NotificationKind.DEPLOYMENT_STOPPED)[0]
        assert "its stop still rests at the exchange" in note.body

    def test_of_rejected_orders_by_one_mail_an_hour(self, desk):
        for number in range(3):
            desk.venue.next_submit(rejects_with="insufficient_balance")
            desk.decide(key=f"entry-{number}")
            desk.submit()

        assert Order.objects.filter(status="REJECTED").count() == 3
        assert Mail.objects.filter(kind=MailKind.ORDER_PROBLEM).count() == 1

    def test_of_an_order_that_stays_in_doubt(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        desk.enter("0.1")
        for seconds in (20, 900, 20):
            desk.later(seconds)
            desk.venue.next_question(raises=VenueUnavailableError())
            desk.reconcile()

        assert Mail.objects.filter(kind=MailKind.ORDER_PROBLEM).count() == 1

    def test_of_an_order_under_review(self, desk, contradiction):
        assert Mail.objects.filter(kind=MailKind.ORDER_PROBLEM).count() == 1


class TestErasure:
    def test_waits_until_nothing_of_the_person_runs(self, desk):
        owner = desk.deployment.owner
        desk.enter("0.1")
        person_services.request_erasure(person_id=owner.pk, by=Actor.person(owner.pk), now=desk.now)
        assert erasures.sweep_erasures(now=desk.now) == 0

        deliver_events(now=desk.now)
        carry_out(now=desk.now)

        assert erasures.sweep_erasures(now=desk.now) == 1
        assert User.objects.get(pk=owner.pk).erased_at == desk.now
        assert desk.position.quantity == 0
        assert Fill.objects.count() == 2

    def test_somebody_without_deployments_goes_at_once(self, now):
        person = people.make_person()
        person_services.request_erasure(person_id=person.pk, by=Actor.person(person.pk), now=now)

        assert erasures.sweep_erasures(now=now) == 1
        assert erasures.sweep_erasures(now=now) == 0
