"""How many people there are and how their mail does: for operators, never for a person's page."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min, Q

from accounts.models import Mail, User
from foundation import replica

_NEW_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PeopleFigures:
    """Everybody who is not deleted; ``new`` signed up within seven days."""

    total: int
    active: int
    new: int
    operators: int


@dataclass(frozen=True, slots=True)
class MailFigures:
    """Mails that wait, since when in seconds, and those that were given up within seven days."""

    waiting: int
    oldest_age_s: float
    given_up: int


def people_figures(*, now: datetime) -> PeopleFigures:
    """Return how many people there are (one query)."""
    found = (
        User.objects.using(replica.using())
        .filter(erased_at=None)
        .aggregate(
            total=Count("pk"),
            active=Count("pk", filter=Q(is_active=True)),
            new=Count("pk", filter=Q(date_joined__gte=now - _NEW_FOR)),
            operators=Count("pk", filter=Q(is_active=True, is_staff=True)),
        )
    )
    return PeopleFigures(**found)


def mail_figures(*, now: datetime) -> MailFigures:
    """Return how the mail does (one query)."""
    waiting = Q(sent_at=None, failed_at=None)
    found = (
        Mail.objects.using(replica.using())
        .filter(waiting | Q(failed_at__gte=now - _NEW_FOR))
        .aggregate(
            waiting=Count("pk", filter=waiting),
            oldest=Min("created_at", filter=waiting),
            given_up=Count("pk", filter=Q(failed_at__isnull=False)),
        )
    )
    oldest = found["oldest"]
    age_s = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
    return MailFigures(found["waiting"], age_s, found["given_up"])


def addresses_of(person_ids: Collection[int]) -> dict[int, str]:
    """Return the addresses of people by their ids, for lists of what was done (one query)."""
    rows = User.objects.using(replica.using()).filter(pk__in=person_ids)
    return dict(rows.values_list("pk", "email"))
