"""Plans, their limits, and rights to products."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from accounts.models import User
from billing.models import BillingAccount, Plan, Subscription
from billing.selectors import entitlements as selectors
from billing.services import entitlements, products, subscriptions
from billing.services.entitlements import Limit, PlanLimitError, SubscriptionRequiredError
from tests.factories import billing as factory
from tests.factories.accounts import make_operator, make_person
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CODE = "strategy:ema-crossover"


@pytest.fixture
def person(db: None) -> User:
    """Somebody with the free plan."""
    products.sync_plans(now=NOW)
    return make_person()


def require(person: User, limit: Limit, *, used: int, asked: int = 1, now=NOW) -> None:
    with transaction.atomic():
        entitlements.require(person, limit=limit, used=used, asked=asked, now=now)


class TestPlanOf:
    def test_everybody_has_the_default_plan(self, person):
        assert selectors.plan_of(person, now=NOW).product.code == "plan:free"

    def test_it_is_there_before_plans_are_written_down(self, db):
        plan = selectors.plan_of(make_person(), now=NOW)

        assert plan.product.code == "plan:free"
        assert not Plan.objects.exists()
        assert selectors.limits_in(plan)[Limit.PAPER_DEPLOYMENTS] == 3

    def test_operators_have_the_highest(self, person):
        assert selectors.plan_of(make_operator(), now=NOW).product.code == "plan:desk"

    def test_operators_have_it_before_plans_are_written_down(self, db):
        assert selectors.plan_of(make_operator(), now=NOW).product.code == "plan:desk"

    def test_of_several_the_highest_rank_counts(self, person):
        for code in ("plan:desk", "plan:pro"):
            factory.give(person, code, now=NOW)

        assert selectors.plan_of(person, now=NOW).product.code == "plan:desk"

    def test_after_its_end_the_next_one_counts(self, person):
        end = factory.end_of(factory.give(person, "plan:desk", now=NOW))
        factory.give(person, "plan:pro", months=2, now=NOW)

        codes = [
            selectors.plan_of(person, now=at).product.code
            for at in (end - timedelta(seconds=1), end, end + timedelta(days=60))
        ]

        assert codes == ["plan:desk", "plan:pro", "plan:free"]

    def test_a_plan_of_somebody_else_changes_nothing(self, person):
        factory.give(make_person("mallory@example.com"), "plan:desk", now=NOW)

        assert selectors.plan_of(person, now=NOW).product.code == "plan:free"


class TestRequire:
    def test_below_the_limit_goes_on(self, person):
        require(person, Limit.PAPER_DEPLOYMENTS, used=2)

    def test_at_the_limit_is_refused_with_the_whole_story(self, person):
        with pytest.raises(PlanLimitError) as failure:
            require(person, Limit.PAPER_DEPLOYMENTS, used=3)

        error = failure.value
        assert (error.code, error.status) == ("plan_limit_reached", 402)
        assert (error.limit, error.allowed, error.used) == (Limit.PAPER_DEPLOYMENTS, 3, 3)
        assert (error.plan_code, error.plan_name) == ("plan:free", "Free")
        assert error.message == (
            "Your plan “Free” allows 3 paper deployments, and you have 3. "
            "Stop one of them, or ask for a larger plan."
        )
        assert [(p.field, p.code) for p in error.problems] == [
            ("paper_deployments", "plan_limit_reached")
        ]

    def test_a_plan_without_any_says_so(self, person):
        with pytest.raises(PlanLimitError, match="has no live deployments"):
            require(person, Limit.LIVE_DEPLOYMENTS, used=0)

    def test_more_than_one_may_be_asked_for(self, person):
        require(person, Limit.BARS_PER_RUN, used=0, asked=500_000)
        with pytest.raises(PlanLimitError, match="500,000 bars in one backtest; this one has"):
            require(person, Limit.BARS_PER_RUN, used=0, asked=500_001)

    @pytest.mark.parametrize("limit", list(Limit))
    def test_a_plan_without_limits_allows_everything(self, person, limit):
        factory.with_plan(person, "plan:desk")

        require(person, limit, used=10**9)

    def test_a_limit_that_an_operator_lowered_holds_at_once(self, person):
        Plan.objects.filter(product__code="plan:free").update(exchange_accounts=1)

        with pytest.raises(PlanLimitError, match="allows 1 exchange account,"):
            require(person, Limit.EXCHANGE_ACCOUNTS, used=1)

    def test_it_is_part_of_a_transaction(self, person):
        with pytest.raises(RuntimeError, match="inside a transaction"):
            entitlements.require(person, limit=Limit.EXCHANGE_ACCOUNTS, used=0, now=NOW)

    def test_each_person_has_one_billing_row(self, person):
        for _ in range(2):
            require(person, Limit.EXCHANGE_ACCOUNTS, used=0)

        assert BillingAccount.objects.get().owner == person


class TestProducts:
    def require_product(self, person: User, *, now: datetime = NOW) -> None:
        with transaction.atomic():
            entitlements.require_product(person, product_code=CODE, now=now)

    def test_without_a_subscription_it_is_refused(self, person):
        make_catalogue()

        with pytest.raises(SubscriptionRequiredError) as failure:
            self.require_product(person)

        error = failure.value
        assert (error.code, error.status) == ("subscription_required", 402)
        assert "“EMA crossover”" in error.message
        assert error.product_code == CODE

    def test_with_one_it_goes_on(self, person):
        make_catalogue()
        factory.subscribe(person, now=NOW)

        self.require_product(person)

    def test_the_end_counts_and_not_the_sweep(self, person):
        make_catalogue()
        end = factory.end_of(factory.give(person, now=NOW))

        self.require_product(person, now=end - timedelta(microseconds=1))
        with pytest.raises(SubscriptionRequiredError):
            self.require_product(person, now=end)
        assert Subscription.objects.get().ended_at is None

    def test_many_people_are_asked_for_with_one_query(self, person, django_assert_num_queries):
        make_catalogue()
        others = [make_person(f"person-{number}@example.com") for number in range(4)]
        factory.subscribe(person, now=NOW)
        factory.give(others[0], now=NOW)
        factory.give(others[1], now=NOW - timedelta(days=40))
        subscriptions.deactivate(
            subscription_id=factory.subscribe(others[2], now=NOW).pk, by=factory.STAFF, now=NOW
        )
        everybody = [person.pk, *(other.pk for other in others)]

        with django_assert_num_queries(1):
            entitled = selectors.entitled_owners(CODE, everybody, now=NOW)

        assert entitled == {person.pk, others[0].pk}
