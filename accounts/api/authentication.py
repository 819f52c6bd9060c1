"""Who calls the API: a personal token, a program that signed in, or a page with its session.

A request with an ``Authorization`` header never falls back to the session: whoever sends a token means it.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from accounts.selectors import tokens
from accounts.services import personal_tokens
from accounts.services.refresh_families import ExpiredSignInError, InvalidTokenError
from foundation.http import AUTHENTICATE, NotAuthenticatedError
from foundation.scopes import Grant
from foundation.tenancy import continue_as


@dataclass(frozen=True, slots=True)
class SignIn:
    """A program that signed in: it stands in ``request.auth`` and names the sign-in."""

    public_id: UUID


class BearerAuthentication(BaseAuthentication):
    """Takes ``Authorization: Bearer`` with a personal token or an access token."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        """Return the person and what the token allows; None without the header; raise the 401s."""
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise NotAuthenticatedError("Send the token as “Authorization: Bearer …”.")
        text = text.strip()
        person, grant = (
            _by_personal_token(text) if text.startswith(tokens.MARK) else _by_access_token(text)
        )
        continue_as(request._request, person.pk)  # noqa: SLF001  the documented way to the underlying request
        return person, grant

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, which makes the framework answer 401."""
        return AUTHENTICATE


def _by_personal_token(text: str) -> tuple[User, Grant]:
    now = timezone.now()
    token = tokens.find_token(text, now=now)
    if token is None:
        raise InvalidTokenError
    personal_tokens.note_use(token=token, now=now)
    return token.owner, Grant(key=str(token.pk), scopes=frozenset(token.scopes))


def _by_access_token(text: str) -> tuple[User, SignIn]:
    try:
        # The library annotates its own encoded form as a token.
        encoded: Any = text
        token = AccessToken(encoded)
    except ExpiredTokenError:
        raise ExpiredSignInError from None
    except TokenError:
        raise InvalidTokenError from None
    named = tokens.as_id(token.get("fam"))
    family = tokens.find_sign_in(named, now=timezone.now()) if named else None
    if family is None or not _is_of_the_present(token, family.owner):
        raise InvalidTokenError
    return family.owner, SignIn(family.public_id)


def _is_of_the_present(token: AccessToken, person: User) -> bool:
    return (
        person.is_active
        and token.get("sub") == str(person.public_id)
        and token.get("tep") == person.token_epoch
    )
