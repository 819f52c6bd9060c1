"""Programs that are signed in: a short-lived access token, and a refresh token that is good once.

Both are signed by us and name the row of the sign-in; the row holds the hash of the one refresh token that is good.
Whoever uses it gets the next one, under the lock of the row, so that of several at the same moment one wins. A token
that was replaced long ago can only be a copy: it ends the sign-in for everybody who holds a part of it.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.models import MailKind, NotificationKind, NotificationLevel, RefreshFamily, User
from accounts.selectors import tokens
from accounts.services.notifications import notify
from foundation import audit
from foundation.transactions import part_of_transaction, transactional
from market.errors import ConflictError, PlatformError

#: How long a sign-in lasts, however often its tokens are renewed.
LIFETIME: Final = timedelta(days=14)
#: Two tabs, or a client that repeats a request, use the same token at nearly the same time.
_DOUBLE_CLICK: Final = timedelta(seconds=5)
_LONGEST_AGENT: Final = 200
#: Sign-ins that one sweep deletes at most.
_BATCH: Final = 1_000


class InvalidTokenError(PlatformError):
    """The token proves nothing: made up, changed, revoked or replaced. Nothing says which."""

    code = "token_invalid"
    status = 401
    title = "The token is not valid"

    def __init__(self) -> None:
        super().__init__("The token is not valid. Sign in again.")


class ExpiredSignInError(PlatformError):
    """The token was good, and its time is over."""

    code = "token_expired"
    status = 401
    title = "The token has expired"

    def __init__(self) -> None:
        super().__init__("The token has expired.")


class JustReplacedError(ConflictError):
    """Another request used the same token a moment ago; its answer has the new one."""

    code = "token_just_replaced"

    def __init__(self) -> None:
        super().__init__("This token was used a moment ago; use the one that was given for it.")


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a program gets: both tokens as text, and when the access token ends."""

    access: str
    refresh: str
    access_expires_at: datetime
    refresh_expires_at: datetime


@part_of_transaction
def open_family(
    *, person: User, user_agent: str, ip_address: str | None, now: datetime
) -> TokenPair:
    """Sign a program in as *person*, whose proofs the caller has seen."""
    family = RefreshFamily(
        owner=person,
        user_agent=user_agent[:_LONGEST_AGENT],
        ip_address=ip_address,
        last_used_at=now,
        expires_at=now + LIFETIME,
    )
    token = _token_of(family, person, now=now)
    family.current_jti_hash = _hash_of(token)
    family.save()
    audit.record(
        actor=audit.Actor.person(person.pk), verb="api.signed-in", target=family, owner_id=person.pk
    )
    return _pair(token, family)


def rotate(*, refresh: str, now: datetime) -> TokenPair:
    """Return the next pair of tokens for a *refresh* token that is good.

    Raises ExpiredSignInError, InvalidTokenError, or JustReplacedError within five seconds of its use. Later the
    use of a replaced token is theft: the sign-in ends, and the person is told.
    """
    result = _rotate(_read(refresh), now=now)
    if isinstance(result, PlatformError):
        # Raised out here, because what was written about a theft must stay written.
        raise result
    return result


def sign_out(*, refresh: str, now: datetime) -> None:
    """End the sign-in that a *refresh* token belongs to; one that is over already is no error.

    Raises InvalidTokenError for what is no token of ours.
    """
    try:
        token = _read(refresh)
    except ExpiredSignInError:
        return
    _sign_out(token, now=now)


@transactional
def revoke_family(*, owner: User, public_id: UUID, by: audit.Actor, now: datetime) -> None:
    """End one sign-in of *owner*; raise SignInNotFoundError for any other person's, or one that is over."""
    found = tokens.sign_ins_for(owner, now=now).select_for_update()
    family = found.filter(public_id=public_id).first()
    if family is None:
        raise tokens.SignInNotFoundError
    _revoke(family, reason="signed out", by=by, now=now)


@part_of_transaction
def revoke_all_of(*, person_id: int, reason: str, by: audit.Actor, now: datetime) -> int:
    """End every sign-in of a person's programs, as a new password does; return how many there were."""
    open_ones = RefreshFamily.objects.filter(owner_id=person_id, revoked_at=None)
    families = list(open_ones.select_for_update())
    for family in families:
        _revoke(family, reason=reason, by=by, now=now)
    return len(families)


@transactional
def forget_ended(*, now: datetime) -> int:
    """Delete sign-ins that have been over for as long as they could last; return how many."""
    ended = RefreshFamily.objects.filter(expires_at__lt=now - LIFETIME).order_by("pk")
    keys = list(ended.values_list("pk", flat=True)[:_BATCH])
    RefreshFamily.objects.filter(pk__in=keys).delete()
    return len(keys)


@transactional
def _rotate(token: RefreshToken, *, now: datetime) -> TokenPair | PlatformError:
    family = _locked_family(token)
    if family is None or family.revoked_at is not None or not _is_of_the_present(token, family):
        return InvalidTokenError()
    used = _hash_of(token)
    if used == family.current_jti_hash:
        following = _token_of(family, family.owner, now=now)
        family.previous_jti_hash = used
        family.current_jti_hash = _hash_of(following)
        family.replaced_at = family.last_used_at = now
        family.save(
            update_fields=["previous_jti_hash", "current_jti_hash", "replaced_at", "last_used_at"]
        )
        return _pair(following, family)
    if (
        used == family.previous_jti_hash
        and family.replaced_at is not None
        and now - family.replaced_at <= _DOUBLE_CLICK
    ):
        return JustReplacedError()
    _revoke(family, reason="refresh token reused", by=audit.Actor.system("api"), now=now)
    notify(
        owner_id=family.owner_id,
        kind=NotificationKind.SECURITY,
        level=NotificationLevel.PROBLEM,
        key=f"refresh-token-reused:{family.public_id}",
        title="A program was signed out",
        body=(
            "Somebody used a token of this program that had been replaced, so a copy of it may be in other hands. "
            "Sign the program in again, and change your password if you do not know why."
        ),
        path="/account/security/",
        mail=MailKind.PROGRAM_SIGNED_OUT,
    )
    return InvalidTokenError()


@transactional
def _sign_out(token: RefreshToken, *, now: datetime) -> None:
    family = _locked_family(token)
    if family is not None and family.revoked_at is None:
        _revoke(family, reason="signed out", by=audit.Actor.person(family.owner_id), now=now)


@part_of_transaction
def _revoke(family: RefreshFamily, *, reason: str, by: audit.Actor, now: datetime) -> None:
    family.revoked_at = now
    family.revoked_reason = reason
    family.save(update_fields=["revoked_at", "revoked_reason"])
    audit.record(
        actor=by,
        verb="api.signed-out",
        target=family,
        owner_id=family.owner_id,
        detail={"reason": reason},
    )


def _read(text: str) -> RefreshToken:
    try:
        # The library annotates its own encoded form as a token.
        encoded: Any = text
        return RefreshToken(encoded)
    except ExpiredTokenError:
        raise ExpiredSignInError from None
    except TokenError:
        raise InvalidTokenError from None


def _locked_family(token: RefreshToken) -> RefreshFamily | None:
    families = RefreshFamily.objects.select_for_update(of=("self",)).select_related("owner")
    named = tokens.as_id(token.get("fam"))
    return families.filter(public_id=named).first() if named else None


def _is_of_the_present(token: RefreshToken, family: RefreshFamily) -> bool:
    person = family.owner
    return (
        person.is_active
        and token.get("sub") == str(person.public_id)
        and token.get("tep") == person.token_epoch
    )


def _token_of(family: RefreshFamily, person: User, *, now: datetime) -> RefreshToken:
    token = RefreshToken()
    token.current_time = now
    token.set_iat(at_time=now)
    token.set_exp(from_time=family.expires_at, lifetime=timedelta(0))
    token["sub"] = str(person.public_id)
    token["fam"] = str(family.public_id)
    token["tep"] = person.token_epoch
    return token


def _pair(token: RefreshToken, family: RefreshFamily) -> TokenPair:
    access = token.access_token
    lifetime = access.lifetime or timedelta(0)
    return TokenPair(
        access=str(access),
        refresh=str(token),
        access_expires_at=token.current_time + lifetime,
        refresh_expires_at=family.expires_at,
    )


def _hash_of(token: RefreshToken) -> str:
    return hashlib.sha256(str(token["jti"]).encode()).hexdigest()
