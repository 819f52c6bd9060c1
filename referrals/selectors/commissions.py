"""What was earned."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from referrals.models import Commission, CommissionStatus
from referrals.selectors.codes import Owner


def commissions_for(owner: Owner) -> QuerySet[Commission]:
    """Return all commissions of *owner*, the newest first."""
    return Commission.objects.filter(owner_id=owner.pk).order_by("-pk")


def page_of_commissions(
    owner: Owner, *, status: str | None = None, below: int | None = None, most: int
) -> Sequence[Commission]:
    """Return up to *most* commissions of *owner*, the newest first, made before a key."""
    mine = commissions_for(owner)
    if status is not None:
        mine = mine.filter(status=status)
    if below is not None:
        mine = mine.filter(pk__lt=below)
    return list(mine[:most])


def owners_with_due(*, now: datetime, most: int) -> Sequence[int]:
    """Return the people who have commissions to be made payable at *now*."""
    owners = _due(now=now).order_by("owner_id").values_list("owner_id", flat=True).distinct()
    return list(owners[:most])


def due_of(owner_id: int, *, now: datetime, most: int) -> Sequence[Commission]:
    """Return a person's commissions to be made payable at *now*, locked."""
    due = _due(now=now).filter(owner_id=owner_id).select_for_update()
    return list(due.order_by("pk")[:most])


def _due(*, now: datetime) -> QuerySet[Commission]:
    return Commission.objects.filter(status=CommissionStatus.PENDING, payable_from__lte=now)
