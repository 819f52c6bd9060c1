"""A new password, which ends what was signed in with the old one."""

from datetime import datetime

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password

from accounts.models import MailKind, NotificationKind, NotificationLevel, User
from accounts.services import access
from accounts.services.notifications import notify
from foundation import audit
from foundation.transactions import transactional


@transactional
def change_password(
    *,
    person_id: int,
    password: str,
    keep_session_key: str | None,
    by: audit.Actor,
    now: datetime,
) -> User:
    """Store a new password; all other sessions and all tokens of programs end, and the person is told.

    The session *keep_session_key* stays signed in once its view has signed it anew.
    """
    person = User.objects.select_for_update().get(pk=person_id)
    _store(person, password)
    access.end_access(
        person, keep_session_key=keep_session_key, also_personal_tokens=True, by=by, now=now
    )
    _tell(person, verb="person.password_changed", title="Your password was changed", by=by)
    return person


@transactional
def reset_password(*, person_id: int, password: str, now: datetime) -> User:
    """Store the password of a person who had forgotten it and holds the link from their mailbox.

    Every session and every token ends, personal ones included: who lost a password may have lost more.
    The link came from the mailbox, so it proves the address too.
    """
    person = User.objects.select_for_update().get(pk=person_id)
    by = audit.Actor.person(person.pk)
    _store(person, password)
    EmailAddress.objects.filter(user=person, email=person.email).update(verified=True)
    access.end_access(person, keep_session_key=None, also_personal_tokens=True, by=by, now=now)
    _tell(person, verb="person.password_reset", title="Your password was reset", by=by)
    return person


def _store(person: User, password: str) -> None:
    person.password = make_password(password)
    person.save(update_fields=["password"])


def _tell(person: User, *, verb: str, title: str, by: audit.Actor) -> None:
    audit.record(actor=by, verb=verb, target=person, owner_id=person.pk)
    notify(
        owner_id=person.pk,
        kind=NotificationKind.SECURITY,
        key=f"password-{person.token_epoch}",
        title=title,
        body="All other devices are signed out. If it was not you, reset your password at once.",
        path="/account/security/",
        level=NotificationLevel.WARNING,
        mail=MailKind.PASSWORD_CHANGED,
    )
