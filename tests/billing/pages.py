"""The pages of billing that are looked at in a browser."""

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.services import products, subscriptions
from foundation.audit import Actor
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
            products.register_strategy(slug=f"number-{number}", name=name, is_active=True)
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


PAGES = [
    PageCase("usage", _used),
    PageCase("usage-empty", at(_ADDRESS)),
    PageCase("usage-many", _many),
    PageCase("usage-ended", _ended),
]
