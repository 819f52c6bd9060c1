"""A notification for every address that names one."""

from collections.abc import Mapping
from uuid import UUID

from accounts.models import User
from tests.factories.notifications import make_notification


def _notification(owner: User) -> Mapping[str, UUID]:
    return {"public_id": make_notification(owner).public_id}


OWNED_OBJECTS = {"notifications": _notification}
