"""Plans, prices and subscriptions."""

from datetime import UTC, datetime
from decimal import Decimal

from accounts.models import User
from billing.models import Price, Product, Subscription
from billing.services import products, subscriptions
from billing.services.products import StrategyOffer
from foundation.audit import Actor

#: Before every other moment of the tests.
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
STAFF = Actor.system("test-operator")


def with_plan(person: User, plan_code: str = "plan:desk") -> User:
    """Return *person*, who has a plan without an end; everybody else has the free one."""
    products.sync_plans(now=LONG_AGO)
    subscriptions.grant(
        owner_id=person.pk, product_code=plan_code, months=None, by=STAFF, now=LONG_AGO
    )
    return person


def make_strategy_product(slug: str, *, name: str, is_active: bool = True) -> Product:
    """Return what is sold of a strategy; needs a transaction."""
    (product,) = products.register_strategies([StrategyOffer(slug, name, is_active=is_active)])
    return product


def subscribe(
    person: User, strategy_slug: str = "ema-crossover", *, now: datetime = LONG_AGO
) -> Subscription:
    """Return the person's free subscription to a strategy of the catalogue; a repeat returns the same."""
    return subscriptions.subscribe(
        owner=person,
        product_code=f"strategy:{strategy_slug}",
        by=Actor.person(person.pk),
        now=now,
    )


def give(
    person: User,
    product_code: str = "strategy:ema-crossover",
    *,
    months: int | None = 1,
    now: datetime,
    request_key: str = "",
) -> Subscription:
    """Return the person's subscription after an operator has granted *months* more."""
    return subscriptions.grant(
        owner_id=person.pk,
        product_code=product_code,
        months=months,
        request_key=request_key,
        by=STAFF,
        now=now,
    )


def end_of(subscription: Subscription) -> datetime:
    """Return the end of a subscription that has one."""
    assert subscription.ends_at is not None
    return subscription.ends_at


def set_price(
    product_code: str = "strategy:ema-crossover",
    amount: str = "20",
    *,
    now: datetime = LONG_AGO,
) -> Price | None:
    """Put a monthly price in dollars on a product."""
    return products.set_price(
        product_code=product_code, interval="MONTH", amount=Decimal(amount), by=STAFF, now=now
    )
