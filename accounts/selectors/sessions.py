"""Reading in which browsers a person is signed in."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from accounts.models import User
from market.errors import NotFoundError


class SessionNotFoundError(NotFoundError):
    """The person has no such session, or it has ended."""


def reference_of(session_key: str) -> str:
    """Return what names a session on a page; its key itself would sign in whoever reads it."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:16]


def sessions_for(owner: User, *, now: datetime) -> Sequence[UserSession]:
    """Return the browsers in which *owner* is signed in, the one that was used last first."""
    listed = list(UserSession.objects.filter(user=owner).order_by("-last_seen_at", "-pk"))
    alive = set(
        Session.objects.filter(
            session_key__in=[session.session_key for session in listed], expire_date__gt=now
        ).values_list("session_key", flat=True)
    )
    return [session for session in listed if session.session_key in alive]


def get_session_for(owner: User, *, reference: str) -> UserSession:
    """Return a session of *owner* by its reference; raise SessionNotFoundError for any other."""
    for session in UserSession.objects.filter(user=owner):
        if reference_of(session.session_key) == reference:
            return session
    raise SessionNotFoundError
