"""What the exchanges do when the apps below tell of something."""

from accounts.events import PERSON_ERASED
from exchanges.services import erasure
from foundation.events import Event, subscribe


def connect() -> None:
    """Subscribe; called once when the app is ready."""
    subscribe(PERSON_ERASED, on_person_erased)


def on_person_erased(event: Event) -> None:
    """Delete the keys of somebody who is no more."""
    if event.owner_id is not None:
        erasure.forget_owner(owner_id=event.owner_id, now=event.occurred_at)
