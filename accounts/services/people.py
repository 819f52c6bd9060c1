"""A person comes into being in one place."""

from datetime import datetime

from django.db import transaction

from accounts import events
from accounts.models import User
from foundation import audit
from foundation.events import publish


def register_person(
    *, email: str, password: str | None, now: datetime, person: User | None = None
) -> User:
    """Create a person (filling *person* if the accounts library already made an unsaved one) and say so."""
    with transaction.atomic():
        user = person or User()
        user.email = email.strip().lower()
        user.set_password(password)
        user.save()
        audit.record(
            actor=audit.Actor.person(user.pk),
            verb="person.registered",
            target=user,
            owner_id=user.pk,
        )
        publish(events.PERSON_REGISTERED, occurred_at=now, owner_id=user.pk)
    return user
