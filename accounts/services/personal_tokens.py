"""Long-lived keys for programs: made once, shown once, and void from the moment they are revoked.

A key reads ``pk_live_<8 id>_<43 secret>``. The part before the secret finds the row; of the secret, which
holds 256 random bits, only its SHA-256 is kept, because nothing slower would make it harder to guess.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from accounts.models import PersonalToken, TokenScope, User
from accounts.selectors import tokens
from foundation import audit
from foundation.transactions import part_of_transaction, transactional
from market.errors import ConflictError, FieldProblem, InvalidInputError

MAXIMUM_TOKENS: Final = 20
MAXIMUM_DAYS: Final = 365
MAXIMUM_NAME: Final = 80
#: How often the time of the last use is written, at most.
_USE_RECORDED_EVERY: Final = timedelta(minutes=1)


class TooManyTokensError(ConflictError):
    """The person has as many tokens in use as anybody may have."""

    code = "too_many_tokens"

    def __init__(self) -> None:
        super().__init__(
            f"You have {MAXIMUM_TOKENS} tokens in use, the most there can be. Revoke one first."
        )


@transactional
def create_token(
    *,
    owner: User,
    name: str,
    scopes: Iterable[str],
    expires_in_days: int,
    by: audit.Actor,
    now: datetime,
) -> tuple[PersonalToken, str]:
    """Return a new token and its text, which nobody can read again.

    Raises InvalidInputError for a bad name, scope or lifetime (1 to 365 days), and TooManyTokensError beyond
    the twentieth in use.
    """
    wanted = _checked_scopes(scopes)
    name = name.strip()
    _check(name=name, expires_in_days=expires_in_days)
    # The row of the person is the lock under which the tokens are counted.
    User.objects.select_for_update().get(pk=owner.pk)
    if tokens.usable_tokens_of(owner.pk, now=now).count() >= MAXIMUM_TOKENS:
        raise TooManyTokensError
    prefix, secret = f"{tokens.MARK}{secrets.token_hex(4)}", secrets.token_urlsafe(32)
    token = PersonalToken.objects.create(
        owner=owner,
        name=name,
        prefix=prefix,
        secret_hash=hashlib.sha256(secret.encode()).hexdigest(),
        scopes=wanted,
        expires_at=now + timedelta(days=expires_in_days),
    )
    audit.record(
        actor=by,
        verb="token.created",
        target=token,
        owner_id=owner.pk,
        detail={"scopes": wanted, "expires_in_days": expires_in_days},
    )
    return token, f"{prefix}_{secret}"


@transactional
def revoke_token(*, owner: User, public_id: UUID, by: audit.Actor, now: datetime) -> PersonalToken:
    """End a token at once; a repeat changes nothing. Raises TokenNotFoundError for any other person's."""
    token = tokens.get_token_for(owner, public_id=public_id, for_update=True)
    if token.revoked_at is None:
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        audit.record(actor=by, verb="token.revoked", target=token, owner_id=owner.pk)
    return token


@part_of_transaction
def revoke_all_of(*, person_id: int, by: audit.Actor, now: datetime) -> int:
    """End every token of a person, as a new password does; return how many were in use."""
    in_use = list(
        PersonalToken.objects.select_for_update().filter(owner_id=person_id, revoked_at=None)
    )
    for token in in_use:
        audit.record(actor=by, verb="token.revoked", target=token, owner_id=person_id)
    PersonalToken.objects.filter(pk__in=[token.pk for token in in_use]).update(revoked_at=now)
    return len(in_use)


@transactional
def note_use(*, token: PersonalToken, now: datetime) -> None:
    """Remember that a token was used, to the minute: a busy program must not write at each call."""
    if token.last_used_at is None or token.last_used_at < now - _USE_RECORDED_EVERY:
        PersonalToken.objects.filter(pk=token.pk).update(last_used_at=now)


def _checked_scopes(scopes: Iterable[str]) -> list[str]:
    asked = list(scopes)
    unknown = [scope for scope in asked if scope not in TokenScope.values]
    if unknown or not asked:
        message = f"Choose among {', '.join(TokenScope.values)}."
        raise InvalidInputError(
            message, problems=[FieldProblem("scopes", "invalid_choice", message)]
        )
    return [scope for scope in TokenScope.values if scope in asked]


def _check(*, name: str, expires_in_days: int) -> None:
    problems = []
    if not name or len(name) > MAXIMUM_NAME or not name.isprintable():
        message = f"A name has from 1 to {MAXIMUM_NAME} printable characters."
        problems.append(FieldProblem("name", "invalid_characters", message))
    if not 1 <= expires_in_days <= MAXIMUM_DAYS:
        message = f"A token lives from 1 to {MAXIMUM_DAYS} days."
        problems.append(FieldProblem("expires_in_days", "out_of_range", message))
    if problems:
        raise InvalidInputError(problems[0].message, problems=problems)
