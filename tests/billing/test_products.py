"""Plans are written down once, and prices follow one another."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import ProgrammingError, transaction

from billing.models import Plan, Price, Product
from billing.selectors.products import ProductNotFoundError, plans_on_offer, prices_in_force
from billing.services import products
from foundation.models import AuditEntry
from tests.factories import billing as factory
from tests.factories.strategies import make_catalogue

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=10)
CODE = "strategy:ema-crossover"


def set_price(amount, *, code=CODE, interval="MONTH", currency="USD", now=NOW):
    return products.set_price(
        product_code=code,
        interval=interval,
        amount=None if amount is None else Decimal(amount),
        currency=currency,
        by=factory.STAFF,
        now=now,
    )


def amounts(*, at):
    return [price.amount for price in prices_in_force([CODE], now=at).get(CODE, [])]


class TestSyncPlans:
    def test_the_plans_are_written_down_with_one_default(self):
        assert products.sync_plans(now=NOW) == ("plan:free", "plan:pro", "plan:desk")

        assert [plan.product.code for plan in plans_on_offer()] == [
            "plan:free", "plan:pro", "plan:desk",
        ]  # fmt: skip
        free = Plan.objects.get(is_default=True)
        assert free.product.code == "plan:free"
        assert (free.live_deployments, free.paper_deployments) == (0, 3)
        assert (free.exchange_accounts, free.backtests_per_day) == (3, 20)
        assert free.bars_per_run == 500_000

    def test_a_repeat_keeps_what_an_operator_changed(self):
        products.sync_plans(now=NOW)
        Plan.objects.filter(product__code="plan:free").update(paper_deployments=99)
        Product.objects.filter(code="plan:pro").update(name="Professional", is_active=False)

        assert products.sync_plans(now=LATER) == ()

        assert Plan.objects.get(product__code="plan:free").paper_deployments == 99
        assert Product.objects.get(code="plan:pro").name == "Professional"
        assert [plan.product.code for plan in plans_on_offer()] == ["plan:free", "plan:desk"]
        assert AuditEntry.objects.filter(verb="plan.added").count() == 3


class TestSetPrice:
    @pytest.fixture(autouse=True)
    def _catalogue(self, db):
        make_catalogue()

    def test_a_price_follows_the_one_before(self):
        set_price("20", now=NOW)
        set_price("25.50", now=LATER)

        assert amounts(at=NOW - timedelta(seconds=1)) == []
        assert amounts(at=NOW) == [20]
        assert amounts(at=LATER - timedelta(microseconds=1)) == [20]
        assert amounts(at=LATER) == [Decimal("25.50")]

    def test_the_same_price_again_changes_nothing(self):
        first = set_price("20")

        assert set_price("20.00", now=LATER) == first
        assert Price.objects.count() == 1

    def test_each_interval_and_currency_has_its_own(self):
        set_price("20")
        set_price("200", interval="YEAR")
        set_price("18", currency="eur")

        assert sorted(amounts(at=NOW)) == [18, 20, 200]

    def test_without_an_amount_it_is_free_again(self):
        set_price("20")

        assert set_price(None, now=LATER) is None
        assert amounts(at=LATER) == []

    def test_it_says_who_changed_what(self):
        set_price("20")
        set_price("25", now=LATER)

        entry = AuditEntry.objects.filter(verb="product.priced").latest("pk")
        assert entry.actor_identifier == factory.STAFF.identifier
        assert (entry.detail["was"], entry.detail["is"]) == ("20", "25")

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"amount": "0"}, "amount"),
            ({"amount": "-1"}, "amount"),
            ({"amount": "NaN"}, "amount"),
            ({"amount": "Infinity"}, "amount"),
            ({"amount": "1000000.01"}, "amount"),
            ({"amount": "9.999"}, "amount"),
            ({"amount": "5", "interval": "WEEK"}, "interval"),
            ({"amount": "5", "currency": "dollars"}, "currency"),
            ({"amount": "5", "currency": "€€€"}, "currency"),
        ],
    )
    def test_a_price_that_nothing_can_have_is_refused(self, changes, field):
        with pytest.raises(products.InvalidPriceError) as failure:
            set_price(changes.pop("amount"), **changes)

        assert failure.value.problems[0].field == field
        assert not Price.objects.exists()

    def test_the_default_plan_costs_nothing(self):
        products.sync_plans(now=NOW)

        with pytest.raises(products.FreeForEverybodyError):
            set_price("5", code="plan:free")

    def test_what_does_not_exist_has_no_price(self):
        with pytest.raises(ProductNotFoundError):
            set_price("5", code="strategy:nothing")

    def test_a_price_is_never_changed(self):
        set_price("20")

        with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
            Price.objects.update(amount=1)
