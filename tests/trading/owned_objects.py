"""A deployment for every address that names one."""

from collections.abc import Mapping
from uuid import UUID

from django.utils import timezone

from accounts.models import User
from exchanges.models import AccountKind
from tests.factories import trading as factory


def _deployment(owner: User) -> Mapping[str, UUID]:
    now = timezone.now()
    account = factory.make_account(
        owner, factory.make_memory_instrument(), kind=AccountKind.PAPER, now=now
    )
    return {"public_id": factory.make_deployment(account, now=now).public_id}


OWNED_OBJECTS = {"trading": _deployment, "trading-api": _deployment}
