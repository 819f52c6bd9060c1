"""A person comes into being in one place."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from accounts import events
from accounts.models import User
from foundation import audit
from foundation.events import publish
from foundation.transactions import transactional
from market.errors import ConflictError


class AddressTakenError(ConflictError):
    """Somebody is registered with this address; for our own eyes, because saying so would betray them."""

    code = "address_taken"

    def __init__(self) -> None:
        super().__init__("Somebody is registered with this address.")


@transactional
def register_person(
    *, email: str, password: str | None, now: datetime, person: User | None = None
) -> User:
    """Create a person and say so; raise AddressTakenError if the address is taken, in any case.

    *person* is the unsaved row that the accounts library may have made. Without a *password* nobody can sign in. A
    taken address takes as long as a free one: the password is hashed before the row is tried.
    """
    user = person or User()
    user.email = email.strip().lower()
    user.password = make_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise AddressTakenError from None
    audit.record(
        actor=audit.Actor.person(user.pk), verb="person.registered", target=user, owner_id=user.pk
    )
    publish(events.PERSON_REGISTERED, occurred_at=now, owner_id=user.pk)
    return user
