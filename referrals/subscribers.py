"""What the referrals do when something happens elsewhere."""

from foundation.events import Event, subscribe
from referrals.services import codes


def connect() -> None:
    """Subscribe to the events of the apps below."""
    subscribe("accounts.person-registered", give_code)


def give_code(event: Event) -> None:
    """Give a newly registered person a referral code."""
    if event.owner_id is not None:
        codes.ensure_code(owner_id=event.owner_id)
