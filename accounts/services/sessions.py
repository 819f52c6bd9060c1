"""Sessions in browsers: when each was last seen, and ending a single one."""

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from accounts.models import User
from accounts.selectors import sessions
from foundation import audit
from foundation.transactions import transactional


@transactional
def note_seen(*, session_key: str, address: str | None, user_agent: str, now: datetime) -> None:
    """Remember from where and when a session was last used."""
    seen = {"last_seen_at": now, "user_agent": user_agent[:200]}
    if address is not None:
        seen["ip"] = address
    UserSession.objects.filter(session_key=session_key).update(**seen)


@transactional
def rename_session(*, before: str, after: str) -> None:
    """Keep listing a session that got a new key while it stayed signed in."""
    UserSession.objects.filter(session_key=before).update(session_key=after)


@transactional
def end_session(*, owner: User, reference: str, by: audit.Actor, now: datetime) -> None:
    """Sign out one of a person's sessions; raise SessionNotFoundError for any other."""
    session = sessions.get_session_for(owner, reference=reference)
    Session.objects.filter(session_key=session.session_key).delete()
    UserSession.objects.filter(pk=session.pk).delete()
    audit.record(
        actor=by,
        verb="person.session_ended",
        target=owner,
        owner_id=owner.pk,
        detail={"at": now.isoformat()},
    )
