"""People who look after an installation."""

from contextlib import suppress
from datetime import datetime

from accounts.models import User
from accounts.services.people import AddressTakenError, register_person
from foundation import audit
from foundation.transactions import transactional

_ACTOR = audit.Actor.system("installation")


def ensure_operator(*, email: str, password: str, display_name: str, now: datetime) -> User:
    """Return the operator with this address, who signs in with *password*; a repeat changes nothing."""
    # Registered by an earlier call: only the installation itself calls this.
    with suppress(AddressTakenError):
        register_person(email=email, password=password, now=now, is_verified=True)
    return _promote(email=email, password=password, display_name=display_name)


@transactional
def _promote(*, email: str, password: str, display_name: str) -> User:
    user = User.objects.select_for_update().get(email=email.strip().lower())
    changed = []
    if not user.check_password(password):
        user.set_password(password)
        changed.append("password")
    if not (user.is_staff and user.is_superuser):
        user.is_staff = user.is_superuser = True
        changed += ["is_staff", "is_superuser"]
    if user.display_name != display_name:
        user.display_name = display_name
        changed.append("display_name")
    if changed:
        user.save(update_fields=changed)
        audit.record(
            actor=_ACTOR,
            verb="person.promoted",
            target=user,
            owner_id=user.pk,
            detail={"changed": changed},
        )
    return user
