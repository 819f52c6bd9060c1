"""Reading what a person was told."""

from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from accounts.models import Notification
from market.errors import NotFoundError

Owner = AbstractBaseUser | AnonymousUser

#: Beyond this the exact number says nothing more, and costs time.
MOST_UNREAD: Final = 100


class NotificationNotFoundError(NotFoundError):
    """There is no such notification, or it is somebody else's."""


def notifications_for(
    owner: Owner, *, before: UUID | None = None, limit: int
) -> list[Notification]:
    """Return what *owner* was told, newest first; *before* is the last one of the page before."""
    told = Notification.objects.filter(owner_id=owner.pk)
    if before is not None:
        told = told.filter(pk__lt=get_notification_for(owner, public_id=before).pk)
    return list(told.order_by("-pk")[:limit])


def notifications_below(
    owner: Owner, *, below: int | None, limit: int, unread: bool | None = None
) -> list[Notification]:
    """Return what *owner* was told, newest first, below the key of one; only unread ones, or read ones, if asked."""
    told = Notification.objects.filter(owner_id=owner.pk)
    if below is not None:
        told = told.filter(pk__lt=below)
    if unread is not None:
        told = told.filter(read_at__isnull=unread)
    return list(told.order_by("-pk")[:limit])


def get_notification_for(owner: Owner, *, public_id: UUID) -> Notification:
    """Return a notification of *owner*; raise NotificationNotFoundError for any other."""
    try:
        return Notification.objects.get(owner_id=owner.pk, public_id=public_id)
    except Notification.DoesNotExist:
        raise NotificationNotFoundError from None


def unread_count(owner: Owner) -> int:
    """Return how many notifications *owner* has not read, at most MOST_UNREAD."""
    unread = Notification.objects.filter(owner_id=owner.pk, read_at=None)
    return unread[:MOST_UNREAD].count()
