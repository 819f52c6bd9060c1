"""What happens at the same time: each call on a connection of its own, in a thread of its own."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction

from accounts.models import Notification, User
from billing.models import BillingAccount, Grant, Plan, Subscription, SubscriptionStatus
from billing.selectors import entitlements as selectors
from billing.services import products, subscriptions
from billing.services.entitlements import PlanLimitError
from exchanges.models import ExchangeAccount
from exchanges.services import accounts as exchange_accounts
from foundation.audit import Actor
from foundation.models import OutboxEvent
from tests.billing.races import together
from tests.factories import backtesting as backtest_factory
from tests.factories import billing as factory
from tests.factories.accounts import make_person
from tests.factories.exchanges import make_venue
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
CODE = "strategy:ema-crossover"
EIGHT = 8


@pytest.fixture
def person(db: None) -> User:
    """Somebody with the free plan."""
    make_catalogue()
    products.sync_plans(now=NOW)
    return make_person()


def ended_events() -> int:
    return OutboxEvent.objects.filter(name="billing.subscription-ended").count()


class TestGrants:
    def test_grants_at_once_add_up(self, person):
        together([partial(factory.give, person, now=NOW)] * EIGHT)

        assert Subscription.objects.get().ends_at == datetime(2026, 9, 15, 12, tzinfo=UTC)
        spans = sorted(Grant.objects.values_list("from_at", "to_at"))
        assert len(spans) == EIGHT
        assert [to_at for _, to_at in spans[:-1]] == [from_at for from_at, _ in spans[1:]]

    def test_the_same_request_at_once_gives_once(self, person):
        together([partial(factory.give, person, now=NOW, request_key="one")] * EIGHT)

        assert Grant.objects.count() == 1
        assert Subscription.objects.get().ends_at == datetime(2026, 2, 15, 12, tzinfo=UTC)

    def test_subscribing_at_once_makes_one(self, person):
        together([partial(factory.subscribe, person, now=NOW)] * EIGHT)

        assert Subscription.objects.get().grants.count() == 1
        assert BillingAccount.objects.count() == 1
        assert OutboxEvent.objects.filter(name="billing.subscription-started").count() == 1

    @pytest.mark.parametrize("attempt", range(3))
    def test_a_renewal_beside_a_cancellation_loses_no_time(self, person, attempt):
        subscription = factory.give(person, now=NOW)
        cancel = partial(
            subscriptions.cancel,
            owner=person,
            public_id=subscription.public_id,
            by=Actor.person(person.pk),
            now=NOW,
        )

        together([cancel, partial(factory.give, person, now=NOW)])

        subscription.refresh_from_db()
        assert subscription.ends_at == datetime(2026, 3, 15, 12, tzinfo=UTC)
        assert subscription.status in {SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED}
        assert selectors.is_entitled(person.pk, CODE, now=NOW)
        assert ended_events() == 0


class TestSweeps:
    def test_sweeps_at_once_end_each_once(self, person):
        for number in range(20):
            factory.give(make_person(f"person-{number}@example.com"), now=NOW)
        later = NOW + timedelta(days=40)

        counts = together([partial(subscriptions.expire_due, now=later)] * 4)

        assert sum(counts) == ended_events() == Notification.objects.count() == 20

    def test_a_renewal_beside_the_sweep_leaves_a_right(self, person):
        subscription = factory.give(person, now=NOW)
        later = factory.end_of(subscription)

        together(
            [
                partial(subscriptions.expire_due, now=later),
                partial(factory.give, person, now=later),
            ]
        )

        subscription.refresh_from_db()
        assert subscription.status == SubscriptionStatus.ACTIVE
        assert subscription.ended_at is None
        assert selectors.is_entitled(person.pk, CODE, now=later)


class TestLimits:
    def test_of_eight_accounts_at_the_limit_one_is_connected(self, person):
        make_venue("simulator", takes_live_accounts=True)
        calls = [
            partial(
                exchange_accounts.connect_account,
                owner=person,
                venue_code="simulator",
                label=f"Number {number}",
                api_key="a" * 64,
                secret="b" * 64,
                by=Actor.person(person.pk),
                now=NOW,
            )
            for number in range(EIGHT + 2)
        ]
        for call in calls[EIGHT:]:
            call()

        outcomes = together(calls[:EIGHT])

        refused = [outcome for outcome in outcomes if isinstance(outcome, PlanLimitError)]
        assert len(refused) == EIGHT - 1
        assert {error.used for error in refused} == {3}
        assert ExchangeAccount.objects.filter(owner=person).count() == 3

    def test_of_eight_backtests_at_the_limit_one_is_taken(self, person):
        with transaction.atomic():
            Plan.objects.filter(is_default=True).update(backtests_per_day=3)
        backtest_factory.make_market()
        for capital in (Decimal(1_000), Decimal(2_000)):
            backtest_factory.make_run(person, capital=capital)
        calls = [
            partial(backtest_factory.make_run, person, capital=Decimal(10_000 + number))
            for number in range(EIGHT)
        ]

        outcomes = together(calls)

        refused = [outcome for outcome in outcomes if isinstance(outcome, PlanLimitError)]
        assert len(refused) == EIGHT - 1
        assert {error.used for error in refused} == {3}
