"""Drafts, what a stop leaves behind, and parameters that change while a deployment runs."""

from datetime import timedelta
from decimal import Decimal

import pytest

from exchanges.models import FeedHold
from foundation.audit import Actor
from market.enums import Leg, OrderStatus
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies.reasons import ReasonCode
from tests.factories import exchanges as exchange_factory
from tests.factories import trading as factory
from trading.models import (
    ActualState,
    DeploymentDecision,
    DeploymentRevision,
    IntentStatus,
    SignalGroup,
    StopPolicy,
)
from trading.services import changes, commands, evaluation
from trading.services.terms import InvalidDeploymentError
from trading.services.wishes import DeploymentEndedError

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def tell(deployment, kind, *, now):
    command = commands.request_command(
        owner=deployment.owner,
        deployment_public_id=deployment.public_id,
        kind=kind,
        idempotency_key=f"{kind}-{now.timestamp()}",
        by=Actor.person(deployment.owner_id),
        now=now,
    )
    commands.act_on_command(command_id=command.pk, now=now)
    deployment.refresh_from_db()
    return command


def change(deployment, *, now, **fields):
    return changes.change(
        owner=deployment.owner,
        deployment_public_id=deployment.public_id,
        by=Actor.person(deployment.owner_id),
        now=now,
        **fields,
    )


class TestDraft:
    @pytest.fixture
    def draft(self, live_account, now):
        return factory.make_deployment(live_account, now=now, is_started=False, starts=False)

    def test_trades_nothing_and_holds_nothing(self, draft):
        assert draft.actual_state == ActualState.DRAFT
        assert not FeedHold.objects.exists()
        assert not DeploymentRevision.objects.filter(to_bar_at=None).exists()

    def test_starts_as_it_was_set(self, draft, now):
        tell(draft, "START", now=now)

        assert draft.actual_state == ActualState.STARTING
        first, second = DeploymentRevision.objects.order_by("number")
        assert second.parameters == first.parameters
        assert second.to_bar_at is None
        assert FeedHold.objects.exists()

    def test_is_discarded_at_once(self, draft, now):
        command = tell(draft, "STOP", now=now)

        assert draft.actual_state == ActualState.STOPPED
        assert command.done_at == now

    @pytest.mark.parametrize("kind", ["PAUSE", "RESUME", "FLATTEN"])
    def test_takes_no_other_command(self, draft, now, kind):
        with pytest.raises(DeploymentEndedError):
            tell(draft, kind, now=now)

    def test_can_be_changed_before_it_starts(self, draft, now):
        change(draft, parameters={"short_ema_period": 3, "long_ema_period": 9}, now=now)
        tell(draft, "START", now=now)

        last = DeploymentRevision.objects.latest("number")
        assert (last.number, last.parameters["long_ema_period"]) == (3, 9)


class TestWhatAStopLeaves:
    @pytest.mark.parametrize(
        ("policy", "held", "stop"),
        [
            (StopPolicy.FLATTEN, Decimal(0), OrderStatus.CANCELED),
            (StopPolicy.PROTECT, Decimal("0.0999"), OrderStatus.ACCEPTED),
            (StopPolicy.CANCEL, Decimal("0.0999"), OrderStatus.CANCELED),
        ],
    )
    def test_is_what_was_chosen_at_the_start(self, desk, policy, held, stop):
        desk.deployment.stop_policy = policy
        desk.deployment.save()
        desk.enter("0.1")
        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED

        tell(desk.deployment, "STOP", now=desk.now)
        for _ in range(3):
            desk.later(20)
            desk.reconcile()
            desk.submit()

        assert desk.deployment.actual_state == ActualState.STOPPED
        assert desk.position.quantity == held
        assert desk.order(Leg.STOP).status == stop
        resting = {OrderStatus.ACCEPTED} if stop == OrderStatus.ACCEPTED else set()
        reports = desk.venue.orders
        assert {each.status for each in reports if each.status == OrderStatus.ACCEPTED} == resting


class TestChange:
    def test_other_parameters_make_a_revision_from_the_bar_that_forms(self, live_deployment, now):
        former = DeploymentRevision.objects.get()

        change(live_deployment, parameters={"short_ema_period": 3, "long_ema_period": 9}, now=now)

        former.refresh_from_db()
        latter = DeploymentRevision.objects.latest("number")
        assert former.to_bar_at == now
        assert (latter.number, latter.to_bar_at) == (2, None)
        assert latter.from_bar_at == now.replace(second=0, microsecond=0)
        assert latter.group != former.group
        assert FeedHold.objects.get().holder == f"group:{latter.group_id}"

    def test_the_same_parameters_change_nothing(self, live_deployment, now):
        change(live_deployment, parameters={"short_ema_period": 2, "long_ema_period": 5}, now=now)

        assert DeploymentRevision.objects.count() == 1

    def test_entries_decided_before_lose_their_right(self, desk):
        intent = desk.decide()

        change(desk.deployment, parameters={"short_ema_period": 3}, now=desk.now)
        desk.submit()

        intent.refresh_from_db()
        assert (intent.status, intent.reason_code) == (
            IntentStatus.SUPERSEDED,
            ReasonCode.PARAMETERS_CHANGED,
        )
        assert desk.venue.orders == []

    def test_what_protects_a_position_stays(self, desk):
        desk.enter("0.1")

        change(desk.deployment, parameters={"short_ema_period": 3}, now=desk.now)
        for _ in range(2):
            desk.later(20)
            desk.reconcile()
            desk.submit()

        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED
        assert desk.position.quantity == Decimal("0.0999")

    def test_a_bar_that_nobody_has_decided_on_gets_its_reason(self, live_deployment, now):
        later = now + 2 * MINUTE

        change(live_deployment, parameters={"short_ema_period": 3}, now=later)

        closed = list(
            DeploymentDecision.objects.order_by("bar_close_at").values_list(
                "bar_close_at", "reason"
            )
        )
        forming = later.replace(second=0, microsecond=0)
        code = ReasonCode.PARAMETERS_CHANGED.value
        assert closed == [(forming - MINUTE, code), (forming, code)]

    def test_the_next_bar_is_decided_with_the_new_parameters(
        self, live_deployment, instrument, now
    ):
        change(live_deployment, parameters={"short_ema_period": 3, "long_ema_period": 9}, now=now)
        group = DeploymentRevision.objects.latest("number").group
        close_at = now.replace(second=0, microsecond=0) + MINUTE
        first = to_milliseconds(close_at) - 60 * 60_000
        exchange_factory.store_candles(
            instrument,
            timeframe=Timeframe.M1,
            candles=exchange_factory.make_candles(
                [40_000.0] * 60, timeframe=Timeframe.M1, first_open_ms=first
            ),
        )

        evaluation.evaluate_signal_group(group_id=group.pk, now=close_at + timedelta(seconds=1))

        assert SignalGroup.objects.get(pk=group.pk).last_bar_close_at == from_milliseconds(
            to_milliseconds(close_at)
        )

    def test_who_looked_at_an_older_revision_is_told(self, live_deployment, now):
        change(live_deployment, parameters={"short_ema_period": 3}, now=now)

        with pytest.raises(changes.VersionConflictError):
            change(live_deployment, name="Mine", expected_revision=1, now=now)

        live_deployment.refresh_from_db()
        assert live_deployment.name == "Crossover"

    @pytest.mark.parametrize(
        ("fields", "field", "code"),
        [
            ({"name": " "}, "name", "out_of_range"),
            ({"stop_policy": "SHRUG"}, "stop_policy", "unknown_choice"),
            ({"parameters": {"colour": 1}}, "colour", "unknown_field"),
            ({"parameters": {"long_ema_period": 999}}, "long_ema_period", "out_of_range"),
        ],
    )
    def test_says_what_is_wrong_and_changes_nothing(
        self, live_deployment, now, fields, field, code
    ):
        with pytest.raises(InvalidDeploymentError) as caught:
            change(live_deployment, **fields, now=now)

        assert [(each.field, each.code) for each in caught.value.problems] == [(field, code)]
        assert DeploymentRevision.objects.count() == 1

    def test_nothing_changes_while_it_stops(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        desk.enter("0.1")
        tell(desk.deployment, "STOP", now=desk.now)

        with pytest.raises(changes.DeploymentStoppingError):
            change(desk.deployment, parameters={"short_ema_period": 3}, now=desk.now)


class TestPageAndApi:
    @pytest.fixture
    def page(self, client, live_deployment):
        client.force_login(live_deployment.owner)
        return client

    def test_the_form_shows_what_is_in_force_and_changes_it(self, page, live_deployment):
        address = f"/deployments/{live_deployment.public_id}/change/"
        form = page.get(address).context["form"]
        wish = {name: form[name].value() for name in form.fields}
        assert wish["parameters.long_ema_period"] == 5

        answer = page.post(address, {**wish, "name": "Mine", "parameters.long_ema_period": "9"})

        assert answer.status_code == 302
        live_deployment.refresh_from_db()
        assert live_deployment.name == "Mine"
        assert DeploymentRevision.objects.latest("number").parameters["long_ema_period"] == 9
        again = page.post(address, wish)
        assert again.status_code == 422
        assert "has changed since you loaded it" in again.content.decode()

    def test_the_api_changes_and_refuses_who_is_late(self, page, live_deployment):
        address = f"/api/v1/deployments/{live_deployment.public_id}"
        parameters = {"short_ema_period": 3, "long_ema_period": 9}
        body = {"parameters": parameters, "stop_policy": "CANCEL", "revision": 1}

        changed = page.patch(address, body, content_type="application/json")
        late = page.patch(address, body, content_type="application/json")

        assert changed.status_code == 200, changed.content
        assert changed.json()["revision"] == 2
        assert changed.json()["stop_policy"] == "CANCEL"
        assert (late.status_code, late.json()["code"]) == (412, "version_conflict")
