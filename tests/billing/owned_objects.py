"""A subscription for every address that names one."""

from collections.abc import Mapping
from uuid import UUID

from accounts.models import User
from tests.billing import buying
from tests.factories import billing as factory
from tests.factories.strategies import make_catalogue


def _subscription(owner: User) -> Mapping[str, UUID]:
    make_catalogue()
    return {"public_id": factory.subscribe(owner).public_id}


def _payment(owner: User) -> Mapping[str, UUID]:
    return {"public_id": buying.buy(owner).public_id}


def _charge(owner: User) -> Mapping[str, UUID]:
    payment = buying.order(owner, buying.make_price())
    return {"reference": buying.charge_of(payment).reference}


OWNED_OBJECTS = {
    "billing": _subscription,
    "billing-api": _subscription,
    "billing:payment": _payment,
    "billing:receipt": _payment,
    "billing:development": _charge,
    "billing-api:payment": _payment,
}
