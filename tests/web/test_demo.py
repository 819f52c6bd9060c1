"""What the demo leaves alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.selectors.products import prices_in_force
from billing.services import products
from tests.factories import billing as factory
from web import demo

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLANS = ["plan:pro", "plan:desk"]


def amounts(now: datetime) -> dict[str, list[Decimal]]:
    return {
        code: [price.amount for price in prices]
        for code, prices in prices_in_force(PLANS, now=now).items()
    }


def test_plans_get_their_first_prices_and_keep_what_an_operator_decides():
    products.sync_plans(now=NOW)
    demo.price_plans(now=NOW)
    assert amounts(NOW) == {"plan:pro": [29, 290], "plan:desk": [99, 990]}

    later = NOW + timedelta(days=1)
    products.set_price(
        product_code="plan:pro", interval="MONTH", amount=None, by=factory.STAFF, now=later
    )
    demo.price_plans(now=later)

    assert amounts(later) == {"plan:pro": [290], "plan:desk": [99, 990]}
