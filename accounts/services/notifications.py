"""Telling a person something: on the platform's own pages, and by mail where it matters."""

import logging
from collections.abc import Mapping

from django.db import IntegrityError, transaction

from accounts.models import MailKind, Notification, NotificationKind, NotificationLevel, User
from accounts.services.mails import request_mail
from foundation.transactions import part_of_transaction

logger = logging.getLogger(__name__)


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
    short_title, short_body = _cut(title, "title"), _cut(body, "body")
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


def _cut(text: str, column: str) -> str:
    longest = Notification._meta.get_field(column).max_length or 0  # noqa: SLF001  the documented model API
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _require_local(path: str) -> None:
    """Refuse a path that would lead away from the site: a mistake of the caller, never of a person."""
    if path and (not path.startswith("/") or path.startswith("//") or "\\" in path):
        raise ValueError(f"A notification leads to a path of this site, not to {path!r}.")
