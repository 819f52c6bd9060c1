"""Ending what a person is signed in with: sessions in browsers, and the tokens of programs."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from accounts.models import PersonalToken, RefreshFamily, User
from accounts.services import personal_tokens, refresh_families
from foundation import audit
from foundation.transactions import part_of_transaction


@part_of_transaction
def end_access(
    person: User,
    *,
    keep_session_key: str | None,
    also_personal_tokens: bool,
    by: audit.Actor,
    now: datetime,
) -> None:
    """End every session and sign-in of a locked person.

    The epoch is part of what a session and an access token prove, so those that no row lists end too.
    The session *keep_session_key* keeps its row; whoever wants it to stay signed in signs it anew.
    """
    person.token_epoch += 1
    person.save(update_fields=["token_epoch"])
    _delete_sessions(person.pk, keep=keep_session_key)
    refresh_families.revoke_all_of(person_id=person.pk, reason="access ended", by=by, now=now)
    if also_personal_tokens:
        personal_tokens.revoke_all_of(person_id=person.pk, by=by, now=now)


@part_of_transaction
def forget_access(person: User) -> None:
    """Delete all traces of how a person came in: sessions with their addresses, tokens, second factors."""
    _delete_sessions(person.pk, keep=None)
    RefreshFamily.objects.filter(owner=person).delete()
    PersonalToken.objects.filter(owner=person).delete()
    Authenticator.objects.filter(user=person).delete()


def _delete_sessions(person_id: int, *, keep: str | None) -> None:
    listed = UserSession.objects.filter(user_id=person_id).exclude(session_key=keep or "")
    Session.objects.filter(
        session_key__in=list(listed.values_list("session_key", flat=True))
    ).delete()
    listed.delete()
