"""Reading the ways in which programs act for a person."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import PersonalToken, RefreshFamily, User
from market.errors import NotFoundError

#: How every personal token begins, so that scanners of leaked secrets know one.
MARK: Final = "pk_live_"
_TOKEN: Final = re.compile(rf"({MARK}[0-9a-f]{{8}})_([A-Za-z0-9_-]{{43}})", re.ASCII)


class TokenNotFoundError(NotFoundError):
    """The person has no such token."""


class SignInNotFoundError(NotFoundError):
    """The person has no such sign-in of a program."""


def tokens_for(owner: User) -> Sequence[PersonalToken]:
    """Return all tokens of a person, revoked and expired ones included, newest first."""
    return list(PersonalToken.objects.filter(owner=owner).order_by("-created_at", "-pk"))


def tokens_below(owner: User, *, below: int | None, limit: int) -> Sequence[PersonalToken]:
    """Return at most *limit* tokens, newest first, beginning after the one with the key *below*."""
    found = PersonalToken.objects.filter(owner=owner)
    if below is not None:
        found = found.filter(pk__lt=below)
    return list(found.order_by("-pk")[:limit])


def usable_tokens_of(owner_id: int, *, now: datetime) -> QuerySet[PersonalToken]:
    """The tokens of a person that are neither revoked nor expired."""
    return PersonalToken.objects.filter(owner_id=owner_id, revoked_at=None, expires_at__gt=now)


def get_token_for(owner: User, *, public_id: UUID, for_update: bool = False) -> PersonalToken:
    """Return a token of *owner*, locked if asked; raise TokenNotFoundError for any other."""
    rows = PersonalToken.objects.select_for_update() if for_update else PersonalToken.objects.all()
    try:
        return rows.get(owner=owner, public_id=public_id)
    except PersonalToken.DoesNotExist:
        raise TokenNotFoundError from None


def find_token(text: str, *, now: datetime) -> PersonalToken | None:
    """Return the token whose text this is, if it may be used now, together with its person.

    None says nothing of why: unknown, wrong, revoked, expired, or of a person who may not come in.
    """
    parts = _TOKEN.fullmatch(text)
    if parts is None:
        return None
    token = PersonalToken.objects.select_related("owner").filter(prefix=parts[1]).first()
    if token is None:
        return None
    is_right = hmac.compare_digest(token.secret_hash, hashlib.sha256(parts[2].encode()).hexdigest())
    is_usable = token.revoked_at is None and token.expires_at > now and token.owner.is_active
    return token if is_right and is_usable else None


def sign_ins_for(owner: User, *, now: datetime) -> QuerySet[RefreshFamily]:
    """The programs that are signed in as *owner*."""
    return RefreshFamily.objects.filter(owner=owner, revoked_at=None, expires_at__gt=now)


def sign_ins_below(
    owner: User, *, below: int | None, limit: int, now: datetime
) -> Sequence[RefreshFamily]:
    """Return at most *limit* programs that are signed in, newest first, after the key *below*."""
    found = sign_ins_for(owner, now=now)
    if below is not None:
        found = found.filter(pk__lt=below)
    return list(found.order_by("-pk")[:limit])


def find_sign_in(public_id: UUID, *, now: datetime) -> RefreshFamily | None:
    """Return a sign-in that is not over, together with its person, or None."""
    found = RefreshFamily.objects.select_related("owner").filter(public_id=public_id)
    return found.filter(revoked_at=None, expires_at__gt=now).first()


def as_id(value: object) -> UUID | None:
    """Return the id that a claim of a token names, or None if it names none."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
