"""Nothing is opened without a subscription, above the plan or for somebody who is deactivated."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.services import people as person_services
from billing.domain.limits import Limit
from billing.models import Subscription
from billing.selectors.usage import usage_of
from billing.services import subscriptions
from billing.services.entitlements import PlanLimitError, SubscriptionRequiredError
from exchanges.models import AccountKind
from foundation.audit import Actor
from market.enums import Leg, OrderStatus, Side
from market.timeframes import MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds
from strategies.services import catalogue
from tests.billing import buying
from tests.billing.races import together
from tests.factories import accounts as people
from tests.factories import billing
from tests.factories import exchanges as market_factory
from tests.factories import trading as factory
from tests.trading.telling import act, carry_out, deliver_events, tell
from trading.models import (
    ActualState,
    Deployment,
    DeploymentCommand,
    DeploymentDecision,
    IntentStatus,
    OrderIntent,
    SignalGroup,
    StopPolicy,
)
from trading.selectors.entitled import entitlement_of, may_enter
from trading.services import evaluation, stops

pytestmark = pytest.mark.django_db

PRODUCT = "strategy:ema-crossover"
OPERATOR = Actor.system("test-operator")
HOUR = timedelta(hours=1)


def end_subscription(owner, *, now) -> None:
    """Take the right to the strategy away."""
    row = owner_subscription(owner)
    subscriptions.deactivate(subscription_id=row.pk, by=OPERATOR, now=now)


def owner_subscription(owner):
    """Return the owner's subscription to the strategy."""
    return billing.subscribe(owner)


class TestStarting:
    def test_needs_a_subscription(self, live_account, now):
        with pytest.raises(SubscriptionRequiredError):
            factory.make_deployment(live_account, now=now, is_subscribed=False)

        assert not Deployment.objects.exists()

    def test_stops_at_the_limit_of_the_plan_and_goes_on_when_one_has_ended(self, live_account, now):
        rows = [factory.make_deployment(live_account, now=now, name=f"No {n}") for n in range(3)]

        with pytest.raises(PlanLimitError) as caught:
            factory.make_deployment(live_account, now=now)
        assert caught.value.limit is Limit.PAPER_DEPLOYMENTS
        act(tell(rows[0], "STOP", now=now), now=now)

        assert factory.make_deployment(live_account, now=now).pk

    def test_counts_as_live_only_where_real_money_moves(self, live_account, now):
        live_account.venue.real_money = True
        live_account.venue.save()

        with pytest.raises(PlanLimitError) as caught:
            factory.make_deployment(live_account, now=now)

        assert caught.value.limit is Limit.LIVE_DEPLOYMENTS

    def test_the_page_of_usage_counts_what_has_not_ended(self, live_deployment, now):
        used = {line.limit: line.used for line in usage_of(live_deployment.owner, now=now).limits}

        assert used[Limit.PAPER_DEPLOYMENTS] == 1
        assert used[Limit.LIVE_DEPLOYMENTS] == 0

    def test_the_same_request_again_is_the_same_deployment_whatever_has_ended_since(
        self, live_account, now
    ):
        first = factory.make_deployment(live_account, now=now, request_key="once")
        end_subscription(live_account.owner, now=now)

        again = factory.make_deployment(
            live_account, now=now, request_key="once", is_subscribed=False
        )

        assert again.pk == first.pk

    @pytest.mark.django_db(transaction=True)
    def test_of_many_at_once_only_as_many_pass_as_there_are_places(self, live_account, now):
        factory.make_deployment(live_account, now=now, name="First")
        factory.make_deployment(live_account, now=now, name="Second")

        results = together(
            [
                lambda: factory.make_deployment(live_account, now=now, is_subscribed=False)
                for _ in range(4)
            ]
        )

        assert sum(isinstance(each, Deployment) for each in results) == 1
        assert sum(isinstance(each, PlanLimitError) for each in results) == 3


class TestDeciding:
    def _cross(self, desk) -> None:
        """Let bars close of which the last one says to enter."""
        end = Timeframe.M1.open_of(to_milliseconds(desk.now)) + 2 * MINUTE_MS
        closes = [40_000.0] * 26 + [39_500.0, 40_400.0]
        candles = market_factory.make_candles(
            closes, timeframe=Timeframe.M1, first_open_ms=end - len(closes) * MINUTE_MS
        )
        market_factory.store_candles(desk.instrument, Timeframe.M1, candles)
        desk.now = from_milliseconds(end) + timedelta(milliseconds=100)
        evaluation.evaluate_signal_group(group_id=SignalGroup.objects.get().pk, now=desk.now)

    def test_without_a_subscription_the_reason_is_written_down_and_nothing_is_entered(self, desk):
        end_subscription(desk.deployment.owner, now=desk.now)

        self._cross(desk)

        assert DeploymentDecision.objects.latest("bar_close_at").reason == "ENTITLEMENT_ENDED"
        assert not OrderIntent.objects.exists()

    def test_for_somebody_deactivated_nothing_is_entered(self, desk):
        person_services.deactivate_person(
            person_id=desk.deployment.owner_id, by=OPERATOR, now=desk.now
        )

        self._cross(desk)

        assert DeploymentDecision.objects.latest("bar_close_at").reason == "OWNER_INACTIVE"
        assert not OrderIntent.objects.exists()

    def test_of_a_group_only_those_without_the_right_are_held_back(self, desk):
        other = people.make_person("grace@example.com")
        account = factory.make_account(
            other, desk.instrument, kind=AccountKind.LIVE, now=desk.now, label="Hers"
        )
        hers = factory.make_deployment(account, now=desk.now)
        end_subscription(desk.deployment.owner, now=desk.now)

        self._cross(desk)

        assert OrderIntent.objects.get().deployment_id == hers.pk


class TestTheWire:
    def test_a_right_that_ends_between_decision_and_wire_denies_the_entry(self, desk):
        intent = desk.decide()
        end_subscription(desk.deployment.owner, now=desk.now)

        desk.submit()

        intent.refresh_from_db()
        assert (intent.status, intent.reason_code) == (IntentStatus.DENIED, "ENTITLEMENT_ENDED")
        assert desk.venue.orders == []

    def test_exits_go_out_without_any_right(self, desk):
        desk.enter("0.1")
        end_subscription(desk.deployment.owner, now=desk.now)
        person_services.deactivate_person(
            person_id=desk.deployment.owner_id, by=OPERATOR, now=desk.now
        )

        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.submit()

        assert desk.order(Leg.EXIT).status == OrderStatus.FILLED
        assert desk.position.quantity == 0

    def test_what_fills_after_the_end_still_gets_its_stop(self, desk):
        desk.venue.next_submit(times_out=True, but_is_accepted=True)
        desk.enter("0.1")
        end_subscription(desk.deployment.owner, now=desk.now)

        desk.later(2)
        desk.reconcile()
        desk.submit()

        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED


class TestTheEndOfASubscription:
    def test_stops_what_it_carried_by_the_chosen_policy(self, desk):
        desk.enter("0.1")
        end_subscription(desk.deployment.owner, now=desk.now)

        deliver_events(now=desk.now)
        carry_out(now=desk.now)

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPED
        assert desk.position.quantity == 0
        command = DeploymentCommand.objects.get()
        assert (command.actor_kind, command.actor_identifier) == ("system", "billing")
        assert "subscription" in command.note

    def test_leaves_the_position_with_its_stop_if_that_was_chosen(self, desk):
        Deployment.objects.update(stop_policy=StopPolicy.PROTECT)
        desk.enter("0.1")
        end_subscription(desk.deployment.owner, now=desk.now)

        deliver_events(now=desk.now)
        carry_out(now=desk.now)

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPED
        assert desk.position.quantity == Decimal("0.0999")
        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED

    def test_told_twice_stops_once(self, desk):
        end_subscription(desk.deployment.owner, now=desk.now)
        arguments = {"owner_id": desk.deployment.owner_id, "product_code": PRODUCT}

        stops.stop_for_product(**arguments, key="event-1", now=desk.now)
        stops.stop_for_product(**arguments, key="event-1", now=desk.now)

        desk.deployment.refresh_from_db()
        assert DeploymentCommand.objects.count() == 1
        assert desk.deployment.epoch == 1

    def test_old_news_of_it_stops_nothing(self, desk):
        stopped = stops.stop_for_product(
            owner_id=desk.deployment.owner_id, product_code=PRODUCT, key="late", now=desk.now
        )

        assert stopped == 0

    def test_of_a_plan_the_newest_above_the_limits_stop(self, desk):
        owner = desk.deployment.owner
        billing.with_plan(owner, "plan:pro")
        account = desk.deployment.account
        newer = [
            factory.make_deployment(account, now=desk.now, name=f"No {number}")
            for number in range(4)
        ]
        plan = subscriptions.grant(
            owner_id=owner.pk, product_code="plan:pro", months=None, by=OPERATOR, now=desk.now
        )
        subscriptions.deactivate(subscription_id=plan.pk, by=OPERATOR, now=desk.now)

        deliver_events(now=desk.now)

        stopping = Deployment.objects.filter(desired_state="STOPPED").order_by("pk")
        assert list(stopping) == newer[2:]


class TestTheGraceOfAPlan:
    """What only a bought plan carried: nothing is entered after its end, stops and exits go on."""

    @pytest.fixture
    def carried(self, desk):
        """Four deployments under a plan that ends in a month, and three places afterwards."""
        buying.buy(desk.deployment.owner, buying.make_price(), now=desk.now)
        for number in range(3):
            factory.make_deployment(desk.deployment.account, now=desk.now, name=f"No {number}")
        return list(Deployment.objects.order_by("pk"))

    @pytest.fixture
    def end(self, carried):
        """When the plan ends."""
        return Subscription.objects.get(product__code="plan:pro").ends_at

    def test_before_the_end_everything_may_enter(self, carried, end):
        assert may_enter(carried, now=end - HOUR) == {each.pk for each in carried}

    @pytest.mark.parametrize("hours", [0, 24, 71, 73])
    def test_from_the_end_on_only_what_the_next_plan_allows_may_enter(self, carried, end, hours):
        now = end + hours * HOUR

        assert may_enter(carried, now=now) == {each.pk for each in carried[:3]}
        newest = carried[3]
        shown = entitlement_of(newest.owner, deployment=newest, now=now)
        assert (shown.holds, shown.label) == (False, "Plan ended")

    def test_who_renews_in_time_enters_again(self, desk, carried, end):
        now = end + 2 * HOUR
        buying.buy(desk.deployment.owner, buying.make_price(), now=now)

        assert may_enter(carried, now=now) == {each.pk for each in carried}

    def test_within_the_grace_nothing_is_stopped_and_after_it_the_newest(self, carried, end):
        for hours, stopping in [(71, []), (73, carried[3:])]:
            subscriptions.expire_due(now=end + hours * HOUR)
            deliver_events(now=end + hours * HOUR)

            told = Deployment.objects.filter(desired_state="STOPPED").order_by("pk")
            assert list(told) == stopping

    def test_an_entry_is_denied_at_the_wire_and_the_exit_goes_out(self, desk, carried, end):
        desk = replace(desk, deployment=carried[3])
        desk.enter("0.1")
        desk.now = end + HOUR

        intent = desk.decide()
        desk.submit()
        intent.refresh_from_db()
        assert (intent.status, intent.reason_code) == (IntentStatus.DENIED, "ENTITLEMENT_ENDED")
        assert desk.order(Leg.STOP).status == OrderStatus.ACCEPTED

        desk.decide(leg=Leg.EXIT, side=Side.SELL, quantity=Decimal("0.0999"))
        desk.submit()
        desk.submit()
        assert desk.order(Leg.EXIT).status == OrderStatus.FILLED
        assert desk.position.quantity == 0


class TestSomebodyDeactivated:
    def test_loses_everything_that_runs(self, desk):
        desk.enter("0.1")
        person_services.deactivate_person(
            person_id=desk.deployment.owner_id, by=OPERATOR, now=desk.now
        )

        deliver_events(now=desk.now)
        carry_out(now=desk.now)

        desk.deployment.refresh_from_db()
        assert desk.deployment.actual_state == ActualState.STOPPED
        assert desk.position.quantity == 0

    def test_who_is_back_before_the_news_keeps_trading(self, desk):
        stopped = stops.stop_for_person(owner_id=desk.deployment.owner_id, key="late", now=desk.now)

        assert stopped == 0


class TestTheSweep:
    def test_finds_what_runs_without_a_right_though_nobody_said_so(self, desk):
        end_subscription(desk.deployment.owner, now=desk.now)

        assert stops.sweep_rights(now=desk.now) == 1
        assert stops.sweep_rights(now=desk.now) == 0

    def test_finds_what_runs_for_somebody_deactivated(self, desk):
        person_services.deactivate_person(
            person_id=desk.deployment.owner_id, by=OPERATOR, now=desk.now
        )

        assert stops.sweep_rights(now=desk.now) == 1

    def test_leaves_everybody_else_alone(self, desk):
        assert stops.sweep_rights(now=desk.now) == 0


def test_a_strategy_whose_code_is_gone_ends_as_failed(desk):
    desk.enter("0.1")
    catalogue.sync_catalogue(now=desk.now)
    strategy = desk.deployment.strategy_version.strategy
    strategy.slug = "gone"
    strategy.save()

    evaluation.evaluate_signal_group(group_id=SignalGroup.objects.get().pk, now=desk.now)
    carry_out(now=desk.now)

    desk.deployment.refresh_from_db()
    assert desk.deployment.actual_state == ActualState.FAILED
    assert desk.position.quantity == 0
