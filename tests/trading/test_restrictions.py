"""Trading states: the strictest wins, at the decision, in the claim and before the wire."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction

from accounts.models import Mail, MailKind, Notification
from exchanges.models import AccountKind
from exchanges.services import leases
from foundation.audit import Actor
from foundation.models import AuditEntry
from market.enums import Leg, OrderActor, OrderStatus, Proof, Side
from tests.factories import accounts as people
from tests.factories import trading as factory
from tests.trading.telling import tell
from trading import tasks
from trading.models import (
    AccountPosition,
    IntentStatus,
    Order,
    ReleaseRule,
    RestrictionCause,
    RestrictionState,
    TradingRestriction,
)
from trading.selectors import restrictions as selectors
from trading.services import fencing, halting, orders, restrictions, submission, triggers

pytestmark = pytest.mark.django_db

ME = Actor.system("test-operator")


def restrict(target, state, *, now, is_operator=True, by=ME, **fields):
    return restrictions.set_by_hand(
        target=target,
        state=state,
        reason="Because of a test.",
        by=by,
        is_operator=is_operator,
        now=now,
        **fields,
    )


def targets_of(desk):
    deployment = desk.deployment
    account = deployment.account
    return {
        "platform": restrictions.of_platform(),
        "venue": restrictions.of_venue(account.venue),
        "person": restrictions.of_person(deployment.owner_id, name="P"),
        "account": restrictions.of_account(account),
        "instrument": restrictions.of_instrument(desk.instrument),
        "instrument-of-account": restrictions.of_instrument(desk.instrument, account=account),
        "deployment": restrictions.of_deployment(deployment),
    }


SCOPES = (
    "platform",
    "venue",
    "person",
    "account",
    "instrument",
    "instrument-of-account",
    "deployment",
)


class TestWhatIsHalted:
    @pytest.mark.parametrize("scope", ["platform", "account", "instrument-of-account"])
    def test_opens_nothing_wherever_it_is_halted(self, desk, scope):
        restrict(targets_of(desk)[scope], "HALTED", now=desk.now)
        intent = desk.decide()

        assert desk.submit() == 0

        intent.refresh_from_db()
        assert (intent.status, intent.reason_code) == (IntentStatus.DENIED, "TRADING_HALTED")

    def test_keeps_its_exits_until_it_goes_on(self, desk):
        desk.enter()
        desk.submit()
        desk.reconcile()
        restrict(targets_of(desk)["account"], "HALTED", now=desk.now)
        leave = desk.decide(leg=Leg.EXIT, side=Side.SELL)
        desk.submit()
        leave.refresh_from_db()
        assert leave.status == IntentStatus.NEW
        assert desk.order("STOP").status == OrderStatus.ACCEPTED

        restrictions.release_all(
            target=targets_of(desk)["account"], note="Over.", by=ME, now=desk.now
        )
        desk.later(5)
        desk.submit()

        leave.refresh_from_db()
        assert leave.status == IntentStatus.ORDERED

    def test_still_gets_the_stop_of_what_has_just_filled(self, desk):
        desk.enter()
        restrict(targets_of(desk)["platform"], "HALTED", now=desk.now)

        desk.submit()

        assert desk.order("STOP").status == OrderStatus.ACCEPTED

    def test_keeps_its_stop_while_an_exit_that_somebody_asked_for_waits(self, desk):
        desk.enter()
        desk.submit()
        restrict(targets_of(desk)["account"], "HALTED", now=desk.now)
        command = tell(desk.deployment, "FLATTEN", now=desk.now)
        tasks.act_on_command(command_id=command.pk)
        assert desk.order("STOP").status == OrderStatus.ACCEPTED
        assert desk.position.quantity > 0

        restrictions.release_all(
            target=targets_of(desk)["account"], note="Over.", by=ME, now=desk.now
        )
        desk.later(5)
        for _ in range(3):
            desk.submit()

        assert desk.order("STOP").status == OrderStatus.CANCELED
        assert desk.position.quantity == 0

    def test_lets_exits_pass_where_it_only_reduces(self, desk):
        desk.enter()
        restrict(targets_of(desk)["person"], "REDUCING", now=desk.now)
        entry = desk.decide()
        leave = desk.decide(leg=Leg.EXIT, side=Side.SELL)
        for _ in range(3):
            desk.submit()

        entry.refresh_from_db()
        leave.refresh_from_db()
        assert (entry.status, entry.reason_code) == (IntentStatus.DENIED, "TRADING_REDUCED")
        assert leave.status == IntentStatus.ORDERED

    def test_of_several_states_the_strictest_wins(self, desk):
        place = selectors.place_of(desk.deployment, instrument_id=desk.instrument.pk)
        restrict(targets_of(desk)["person"], "REDUCING", now=desk.now)
        assert selectors.effective([place], now=desk.now)[place] == "REDUCING"

        restrict(targets_of(desk)["venue"], "HALTED", now=desk.now)

        assert selectors.effective([place], now=desk.now)[place] == "HALTED"

    def test_of_somebody_else_changes_nothing(self, desk):
        stranger = people.make_person(email="stranger@example.com")
        restrict(restrictions.of_person(stranger.pk, name="S"), "HALTED", now=desk.now)

        assert desk.enter().status == OrderStatus.FILLED

    def test_ends_by_itself_at_its_time(self, desk):
        until = desk.now + timedelta(seconds=30)
        restrict(targets_of(desk)["venue"], "HALTED", now=desk.now, until=until)
        place = selectors.place_of(desk.deployment, instrument_id=desk.instrument.pk)

        assert selectors.effective([place], now=desk.now)[place] == "HALTED"
        assert selectors.effective([place], now=until)[place] == "ACTIVE"

    def test_by_a_file_sends_nothing(self, desk, settings, tmp_path):
        settings.HALT_FILE = str(tmp_path / "HALT")
        (tmp_path / "HALT").touch()

        desk.decide()

        assert desk.submit() == 0


class TestTheLastLook:
    def test_sends_only_what_the_state_allows_whatever_it_is_of(self, desk):
        held = leases.claim_accounts(account_ids=[desk.deployment.account_id], seconds=60)
        made = _prepared(desk)
        allowed = {"HALTED": set(), "REDUCING": {"EXIT"}}
        named = targets_of(desk)
        for scope in SCOPES:
            for state, left in allowed.items():
                restrict(named[scope], state, now=desk.now)

                sent = fencing.sendable([order.pk for order in made], held=held)

                assert {order.leg for order in made if order.pk in sent} == left, scope
            TradingRestriction.objects.update(released_at=desk.now)


def _prepared(desk):
    entry = desk.decide()
    leave = desk.decide(leg=Leg.EXIT, side=Side.SELL)
    with transaction.atomic():
        return [
            orders.create(each, quantity=each.quantity, now=desk.now) for each in (entry, leave)
        ]


class TestRules:
    def test_a_resting_entry_is_canceled_and_everybody_concerned_is_told(self, desk):
        entry = desk.decide(order_type="LIMIT", price=Decimal(30_000))
        desk.submit()
        row = restrict(targets_of(desk)["platform"], "HALTED", now=desk.now)
        halting.tell_restriction(restriction_id=row.pk, now=desk.now)
        desk.submit()

        assert Order.objects.get(intent=entry).status == OrderStatus.CANCELED
        assert Notification.objects.filter(kind="TRADING_STATE").count() == 1
        assert AuditEntry.objects.filter(verb="trading.restricted").count() == 1

    def test_a_resting_entry_on_paper_is_canceled_too_unless_paper_is_spared(
        self, live_account, instrument, now
    ):
        account = factory.make_account(
            live_account.owner, instrument, kind=AccountKind.PAPER, now=now, label="Paper"
        )
        deployment = factory.make_deployment(account, now=now)
        intent = factory.make_intent(
            deployment, instrument, now=now, order_type="LIMIT", price=Decimal(30_000)
        )
        submission.submit_due_intents(now=now)
        order = Order.objects.get(intent=intent)
        assert order.status == OrderStatus.ACCEPTED
        spared = _by_rule(restrictions.of_account(account), now=now)
        halting.tell_restriction(restriction_id=spared.pk, now=now)
        order.refresh_from_db()
        assert order.status == OrderStatus.ACCEPTED

        row = restrict(restrictions.of_account(account), "HALTED", now=now)
        halting.tell_restriction(restriction_id=row.pk, now=now)

        order.refresh_from_db()
        assert order.status == OrderStatus.CANCELED

    def test_what_a_person_has_to_end_is_mailed_to_them(self, desk):
        row = _by_rule(restrictions.of_deployment(desk.deployment), now=desk.now)
        for _ in range(2):
            halting.tell_restriction(restriction_id=row.pk, now=desk.now)

        mail = Mail.objects.get(kind=MailKind.TRADING_STATE)
        assert mail.recipient == desk.deployment.owner.email
        assert mail.facts["body"] == "Because of a rule."

    def test_what_they_did_themselves_or_ends_by_itself_is_not(self, desk):
        mine = Actor.person(desk.deployment.owner_id)
        by_owner = restrict(
            targets_of(desk)["person"], "HALTED", now=desk.now, is_operator=False, by=mine
        )
        passing = _by_rule(
            restrictions.of_deployment(desk.deployment), now=desk.now, rule="AUTOMATIC"
        )
        for row in (by_owner, passing):
            halting.tell_restriction(restriction_id=row.pk, now=desk.now)

        assert Notification.objects.filter(kind="TRADING_STATE").count() == 2
        assert not Mail.objects.filter(kind=MailKind.TRADING_STATE).exists()

    def test_an_order_under_review_keeps_entries_away_until_it_is_settled(self, desk):
        order = desk.enter()
        factory.put_under_review(desk.order("STOP"), now=desk.now)
        triggers.watch(now=desk.now)
        row = TradingRestriction.objects.get(cause=RestrictionCause.ORDER_IN_DOUBT)
        assert row.owner_id == order.owner_id

        with transaction.atomic():
            orders.move(
                desk.order("STOP"),
                to=OrderStatus.CANCELED,
                actor=OrderActor.OPERATOR,
                proof=Proof.NOTE,
                now=desk.now,
                evidence={"note": "Seen.", "by": "1"},
            )
        triggers.watch(now=desk.now)

        row.refresh_from_db()
        assert row.released_at == desk.now

    def test_an_account_that_drifts_may_only_reduce(self, desk):
        _drift(desk, times=2)
        triggers.watch(now=desk.now)

        row = TradingRestriction.objects.get()
        assert (row.cause, row.state, row.release_rule) == ("DRIFT", "REDUCING", "OPERATOR")

    def test_three_rejections_stop_entries_until_the_owner_lets_them_go_on(self, desk):
        for _ in range(3):
            desk.venue.next_submit(rejects_with="insufficient_balance")
            desk.decide()
            desk.submit()
        triggers.watch(now=desk.now)
        row = TradingRestriction.objects.get(cause=RestrictionCause.REJECTIONS)

        desk.later(60)
        restrictions.release(restriction=row, note="Seen.", by=ME, is_operator=False, now=desk.now)
        triggers.watch(now=desk.now)

        assert not selectors.all_in_force(now=desk.now)


def _by_rule(target, *, now, rule="OWNER"):
    with transaction.atomic():
        return restrictions.restrict(
            target=target,
            state=RestrictionState.REDUCING,
            cause=RestrictionCause.ORDER_RATE,
            reason="Because of a rule.",
            release_rule=ReleaseRule(rule),
            by=ME,
            now=now,
            spares_paper=True,
        )


def _drift(desk, *, times):
    AccountPosition.objects.create(
        owner=desk.deployment.owner,
        account=desk.deployment.account,
        instrument=desk.instrument,
        quantity=0,
        deployed_quantity=1,
        external_quantity=-1,
        drift_seen=times,
        venue_at=desk.now,
    )


class TestTwoOperators:
    def test_end_a_halt_of_the_platform_together(self, desk):
        for name in ("first", "second"):
            people.make_person(email=f"{name}@example.com", is_staff=True)
        row = restrict(restrictions.of_platform(), "HALTED", now=desk.now)

        assert _release(row, by="1", now=desk.now) is not None
        with pytest.raises(restrictions.SecondOperatorNeededError):
            _release(row, by="1", now=desk.now)
        assert _release(row, by="2", now=desk.now) is None

        assert not selectors.all_in_force(now=desk.now)

    def test_are_one_if_there_is_no_other(self, desk):
        row = restrict(restrictions.of_platform(), "HALTED", now=desk.now)

        assert _release(row, by="1", now=desk.now) is None


def _release(row, *, by, now):
    return restrictions.release(
        restriction=row, note="Over.", by=Actor("person", by), is_operator=True, now=now
    )


class TestTheCommand:
    def test_stops_shows_and_lets_go_on(self, desk):
        told = StringIO()
        call_command("killswitch", "on", "--scope", "venue:memory", "--reason", "Odd.", stdout=told)
        assert "HALTED" in told.getvalue()
        assert "Odd." in told.getvalue()

        told = StringIO()
        call_command("killswitch", "off", "--scope", "venue:memory", "--reason", "Ok.", stdout=told)
        assert "ACTIVE" in told.getvalue()

    @pytest.mark.parametrize(
        ("arguments", "code", "status"),
        [
            (["on"], "reason_required", 2),
            (["on", "--scope", "planet:x", "--reason", "Odd."], "unknown_scope", 1),
            (["off", "--reason", "Odd."], "restriction_not_found", 1),
        ],
    )
    def test_refuses_with_a_code(self, db, arguments, code, status):
        told = StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("killswitch", *arguments, stderr=told)

        assert ended.value.code == status
        assert f"error: {code}" in told.getvalue()
