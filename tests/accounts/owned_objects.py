"""A row of a person for every address of the people that names one."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from accounts.models import RefreshFamily, User
from accounts.services import personal_tokens
from foundation.audit import Actor
from tests.factories.notifications import make_notification


def _notification(owner: User) -> Mapping[str, UUID]:
    return {"public_id": make_notification(owner).public_id}


def _personal_token(owner: User) -> Mapping[str, UUID]:
    token, _ = personal_tokens.create_token(
        owner=owner,
        name="Robot",
        scopes=["read:account"],
        expires_in_days=30,
        by=Actor.person(owner.pk),
        now=timezone.now(),
    )
    return {"public_id": token.public_id}


def _sign_in(owner: User) -> Mapping[str, UUID]:
    now = timezone.now()
    family = RefreshFamily.objects.create(
        owner=owner,
        current_jti_hash="0" * 64,
        last_used_at=now,
        expires_at=now + timedelta(days=14),
    )
    return {"public_id": family.public_id}


OWNED_OBJECTS = {
    "notifications": _notification,
    "accounts:revoke-token": _personal_token,
    "accounts-api:personal-token": _personal_token,
    "accounts-api:sign-in": _sign_in,
    "accounts-api:read": _notification,
}
