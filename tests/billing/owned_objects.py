"""A subscription for every address that names one."""

from collections.abc import Mapping
from uuid import UUID

from accounts.models import User
from tests.factories import billing as factory
from tests.factories.strategies import make_catalogue


def _subscription(owner: User) -> Mapping[str, UUID]:
    make_catalogue()
    return {"public_id": factory.subscribe(owner).public_id}


OWNED_OBJECTS = {"billing": _subscription, "billing-api": _subscription}
