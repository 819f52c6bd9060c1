"""What the pages of an account show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession

from accounts.models import PersonalToken, TokenScope
from accounts.selectors.sessions import reference_of

#: What a browser says of itself, the more telling words first: most claim to be several.
_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A browser in which the person is signed in."""

    reference: str
    device: str
    address: str
    signed_in_at: datetime
    seen_at: datetime
    is_current: bool


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token of a program; of its secret nothing is left to show."""

    public_id: UUID
    name: str
    prefix: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    state: str

    @property
    def is_usable(self) -> bool:
        """Whether a program may still use it."""
        return self.state == "ACTIVE"


@dataclass(frozen=True, slots=True)
class Security:
    """How an account is guarded."""

    email: str
    second_factor_since: datetime | None
    codes_left: int
    session_count: int


def present_sessions(
    sessions: Sequence[UserSession], *, current_key: str | None
) -> list[SessionRow]:
    """Return the browsers, the present one first."""
    rows = [
        SessionRow(
            reference=reference_of(session.session_key),
            device=device_of(session.user_agent),
            address=session.ip,
            signed_in_at=session.created_at,
            seen_at=session.last_seen_at,
            is_current=session.session_key == current_key,
        )
        for session in sessions
    ]
    return sorted(rows, key=lambda row: not row.is_current)


def present_token(token: PersonalToken, *, now: datetime) -> TokenRow:
    """Return a token as its list shows it."""
    state = "REVOKED" if token.revoked_at else "EXPIRED" if token.expires_at <= now else "ACTIVE"
    return TokenRow(
        public_id=token.public_id,
        name=token.name,
        prefix=token.prefix,
        scopes=[TokenScope(scope).label for scope in token.scopes],
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        state=state,
    )


def present_security(
    *, email: str, authenticators: Sequence[Authenticator], session_count: int
) -> Security:
    """Return how an account is guarded."""
    by_type = {row.type: row for row in authenticators}
    factor = by_type.get(Authenticator.Type.TOTP)
    codes = by_type.get(Authenticator.Type.RECOVERY_CODES)
    return Security(
        email=email,
        second_factor_since=factor.created_at if factor else None,
        codes_left=len(codes.wrap().get_unused_codes()) if codes else 0,
        session_count=session_count,
    )


def device_of(user_agent: str) -> str:
    """Return the browser and system that a session names, in words; a program by its first word."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser or system:
        return " on ".join(filter(None, (browser, system)))
    first = re.match(r"[\w.-]+", user_agent)
    return first[0] if first else "Unknown device"
