"""Telling a person something: on the platform's own pages, and by mail where it matters."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, models, transaction

from accounts.models import MailKind, Notification, NotificationKind, NotificationLevel, User
from accounts.selectors.notifications import Owner, get_notification_for
from accounts.services.mails import request_mail
from foundation.transactions import part_of_transaction, transactional

logger = logging.getLogger(__name__)

_LONGEST_TITLE: Final = 120
_LONGEST_BODY: Final = 500

#: How long a person finds again what they have read, and what they have not.
_READ_FOR: Final = timedelta(days=90)
_UNREAD_FOR: Final = timedelta(days=365)
_PRUNED_AT_ONCE: Final = 5_000


@part_of_transaction
def notify(
    *,
    owner_id: int,
    kind: NotificationKind,
    key: str,
    title: str,
    body: str = "",
    path: str = "",
    level: NotificationLevel = NotificationLevel.INFO,
    mail: MailKind | None = None,
    facts: Mapping[str, str | int] | None = None,
) -> None:
    """Tell a person something once: the same *key* again changes nothing, and mails nothing.

    Parameters
    ----------
    key
        Names the cause, such as an event or a row with its version; at most 120 characters. Where a
        cause may come back every minute, the key holds the hour, so that a person gets one mail an hour.
    title, body
        Plain text; what does not fit (120 and 500 characters) is cut with an ellipsis.
    path
        Where to look at it, from the root of the site: ``/deployments/…/``.
    mail
        Also mail the person, with *title*, *body*, *path* and the other *facts* in it.
    """
    short_title, short_body = _cut(title, _LONGEST_TITLE), _cut(body, _LONGEST_BODY)
    _require_local(path)
    try:
        with transaction.atomic():
            Notification.objects.create(
                owner_id=owner_id,
                kind=NotificationKind(kind),
                key=key,
                title=short_title,
                body=short_body,
                path=path,
                level=NotificationLevel(level),
            )
    except IntegrityError:
        logger.debug("notification.told_before", extra={"person_id": owner_id, "key": key})
        return
    if mail is not None:
        request_mail(
            kind=mail,
            recipient=User.objects.values_list("email", flat=True).get(pk=owner_id),
            owner_id=owner_id,
            key=key,
            facts={**(facts or {}), "title": short_title, "body": short_body, "path": path},
        )


@transactional
def mark_read(*, owner: Owner, public_id: UUID, now: datetime) -> Notification:
    """Note that the person has read a notification, and return it; read once, it stays read."""
    notification = get_notification_for(owner, public_id=public_id)
    if notification.read_at is None:
        notification.read_at = now
        notification.save(update_fields=["read_at"])
    return notification


@transactional
def mark_all_read(*, owner: Owner, newest: UUID, now: datetime) -> int:
    """Note that the person has read everything up to *newest*, the first one that their page showed.

    What came after that stays unread. Return how many became read.
    """
    shown = get_notification_for(owner, public_id=newest)
    return Notification.objects.filter(owner_id=owner.pk, pk__lte=shown.pk, read_at=None).update(
        read_at=now
    )


@transactional
def prune_notifications(*, now: datetime) -> int:
    """Delete what is long read, or was not read for a year; return how many those were."""
    is_old = models.Q(read_at__lt=now - _READ_FOR) | models.Q(
        read_at=None, created_at__lt=now - _UNREAD_FOR
    )
    oldest = Notification.objects.filter(is_old).order_by("pk").values("pk")[:_PRUNED_AT_ONCE]
    deleted, _ = Notification.objects.filter(pk__in=oldest).delete()
    return deleted


def _cut(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _require_local(path: str) -> None:
    """Refuse a path that would lead away from the site: a mistake of the caller, never of a person."""
    if path and (not path.startswith("/") or path.startswith("//") or "\\" in path):
        raise ValueError(f"A notification leads to a path of this site, not to {path!r}.")
