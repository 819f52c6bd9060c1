"""The pages of billing that are looked at in a browser."""

from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing.models import Price
from billing.services import development, products, subscriptions
from foundation.audit import Actor
from tests.billing import buying
from tests.exchanges.owned_objects import make_connected_account
from tests.factories import billing as factory
from tests.factories.strategies import make_catalogue
from tests.web.pages import PageCase, at

_ADDRESS = "/billing/usage/"


def _used(person: User) -> str:
    make_catalogue()
    products.sync_plans(now=factory.LONG_AGO)
    factory.set_price("plan:pro", "29", now=factory.LONG_AGO)
    make_connected_account(person)
    factory.give(person, "plan:pro", now=timezone.now())
    factory.subscribe(person)
    return _ADDRESS


def _many(person: User) -> str:
    now = timezone.now()
    for number in range(30):
        with transaction.atomic():
            name = f"{'Very ' * (number % 9)}long strategy {number}"
            factory.make_strategy_product(f"number-{number}", name=name)
        subscription = factory.give(person, f"strategy:number-{number}", now=now)
        if number % 3 == 1:
            subscriptions.cancel(
                owner=person,
                public_id=subscription.public_id,
                by=Actor.person(person.pk),
                now=now,
            )
        elif number % 3 == 2:
            subscriptions.deactivate(
                subscription_id=subscription.pk, by=factory.STAFF, now=now, note=""
            )
    return _ADDRESS


def _ended(person: User) -> str:
    make_catalogue()
    products.sync_plans(now=factory.LONG_AGO)
    factory.give(person, now=factory.LONG_AGO)
    factory.give(person, "plan:desk", now=factory.LONG_AGO)
    subscriptions.expire_due(now=timezone.now())
    return _ADDRESS


def _priced(person: User) -> Price:
    products.sync_plans(now=factory.LONG_AGO)
    factory.set_price("plan:desk", "99", now=factory.LONG_AGO)
    buying.make_price("plan:pro", "290", "YEAR")
    return buying.make_price("plan:pro", "29")


def _plans(person: User) -> str:
    _priced(person)
    return "/billing/plans/"


def _kept(person: User) -> str:
    buying.buy(person, _priced(person), now=timezone.now())
    buying.make_price("plan:pro", "39")
    return "/billing/plans/"


def _checkout(person: User) -> str:
    return f"/billing/checkout/?price={_priced(person).public_id}"


def _renewal(person: User) -> str:
    price = _priced(person)
    buying.buy(person, price, now=timezone.now())
    return f"/billing/checkout/?price={price.public_id}"


def _preparing(person: User) -> str:
    payment = buying.place(person, _priced(person))
    return reverse("billing:payment", args=[payment.public_id])


def _waiting(person: User) -> str:
    payment = buying.order(person, _priced(person), now=timezone.now())
    return reverse("billing:payment", args=[payment.public_id])


def _canceled(person: User) -> str:
    return f"{_waiting(person)}?canceled=1"


def _paid(person: User) -> str:
    payment = buying.buy(person, _priced(person), now=timezone.now())
    return reverse("billing:payment", args=[payment.public_id])


def _failed(person: User) -> str:
    payment = buying.order(person, _priced(person), now=timezone.now())
    development.decline(reference=buying.charge_of(payment).reference, now=timezone.now())
    buying.deliver_all(now=timezone.now())
    return reverse("billing:payment", args=[payment.public_id])


def _receipt(person: User) -> str:
    payment = buying.buy(person, _priced(person), now=timezone.now())
    buying.give_back(payment, "9", now=timezone.now())
    return reverse("billing:receipt", args=[payment.public_id])


def _history(person: User) -> str:
    price = _priced(person)
    for _ in range(24):
        buying.order(person, price, now=timezone.now())
        buying.expire_all(now=timezone.now())
    buying.buy(person, price, now=timezone.now())
    return "/billing/payments/"


def _bank(person: User) -> str:
    payment = buying.order(person, _priced(person), now=timezone.now())
    return reverse("billing:development", args=[payment.provider_reference])


def _bank_paid(person: User) -> str:
    payment = buying.buy(person, _priced(person), now=timezone.now())
    return reverse("billing:development", args=[payment.provider_reference])


def _bought(person: User) -> str:
    price = _priced(person)
    make_catalogue()
    strategy = buying.make_price("strategy:ema-crossover", "10")
    buying.buy(person, price, now=timezone.now())
    buying.buy(person, strategy, now=timezone.now() - timedelta(days=100))
    return _ADDRESS


def _strategy_priced(person: User) -> str:
    make_catalogue()
    buying.make_price("strategy:ema-crossover", "100", "YEAR")
    price = buying.make_price("strategy:ema-crossover", "10")
    buying.buy(person, price, now=timezone.now())
    return "/strategies/ema-crossover/"


PAGES = [
    PageCase("usage-bought", _bought),
    PageCase("strategy-bought", _strategy_priced),
    PageCase("usage", _used),
    PageCase("usage-empty", at(_ADDRESS)),
    PageCase("usage-many", _many),
    PageCase("usage-ended", _ended),
    PageCase("plans", _plans),
    PageCase("plans-stranger", _plans, signed_in=False),
    PageCase("plans-kept", _kept),
    PageCase("plans-none", at("/billing/plans/")),
    PageCase("checkout", _checkout),
    PageCase("checkout-renewal", _renewal),
    PageCase("payment-preparing", _preparing),
    PageCase("payment-waiting", _waiting),
    PageCase("payment-canceled", _canceled),
    PageCase("payment-paid", _paid),
    PageCase("payment-failed", _failed),
    PageCase("receipt", _receipt),
    PageCase("payments-empty", at("/billing/payments/")),
    PageCase("payments-many", _history),
    PageCase("development-bank", _bank),
    PageCase("development-bank-paid", _bank_paid),
]
