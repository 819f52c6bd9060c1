"""What follows when a person's second factor changes; the library keeps the factors themselves."""

from datetime import datetime
from enum import StrEnum

from accounts.models import MailKind, NotificationKind, NotificationLevel, User
from accounts.services.notifications import notify
from foundation import audit
from foundation.transactions import transactional


class Change(StrEnum):
    """What happened to the second factor."""

    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    RENEWED = "codes_renewed"


_TITLES = {
    Change.ACTIVATED: "The second factor is on",
    Change.DEACTIVATED: "The second factor was switched off",
    Change.RENEWED: "New recovery codes were made",
}


@transactional
def note_change(*, person_id: int, change: Change, by: audit.Actor, now: datetime) -> None:
    """Record a change of the second factor and tell the person, on the site and by mail."""
    person = User.objects.get(pk=person_id)
    audit.record(actor=by, verb=f"person.second_factor_{change}", target=person, owner_id=person.pk)
    notify(
        owner_id=person.pk,
        kind=NotificationKind.SECURITY,
        key=f"second-factor-{change}-{now.isoformat()}",
        title=_TITLES[change],
        body="If it was not you, reset your password at once.",
        path="/account/security/",
        level=NotificationLevel.WARNING,
        mail=MailKind.SECOND_FACTOR_CHANGED,
    )
