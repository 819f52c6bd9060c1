"""Asking for a mail: one row in the caller's transaction; a worker sends it after commit."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction

from accounts.models import Mail, MailKind
from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, transactional

logger = logging.getLogger(__name__)

#: How long operators can see what was mailed to whom; until then the same key is not mailed again.
_KEPT_FOR: Final = timedelta(days=90)
_PRUNED_AT_ONCE: Final = 5_000


@part_of_transaction
def request_mail(
    *,
    kind: MailKind,
    recipient: str,
    owner_id: int | None = None,
    key: str = "",
    facts: Mapping[str, str | int] | None = None,
) -> None:
    """Have a mail of *kind* sent to the address *recipient* once the caller's transaction commits.

    Parameters
    ----------
    owner_id
        Whom it is about; None for an address that belongs to nobody here.
    key
        The same key is mailed to a person once, however often it is asked for; empty: each time.
    facts
        Plain values that the mail shows: ``title``, ``body`` and ``path`` (from the root) have their
        places in it, every other name becomes a line of its own. Never a secret, and never a link that
        signs people in: those are made when the mail is sent, and stand in no row and no message.
    """
    try:
        with transaction.atomic():
            mail = Mail.objects.create(
                kind=MailKind(kind),
                recipient=recipient,
                owner_id=owner_id,
                key=key,
                facts=dict(facts or {}),
            )
    except IntegrityError:
        logger.debug("mail.asked_for_twice", extra={"kind": kind, "person_id": owner_id})
        return
    enqueue_on_commit("accounts.send_mail", mail_id=mail.pk)


@transactional
def prune_mails(*, now: datetime) -> int:
    """Delete what was sent or given up long ago; return how many those were."""
    oldest = (
        Mail.objects.filter(created_at__lt=now - _KEPT_FOR)
        .exclude(sent_at=None, failed_at=None)
        .order_by("pk")
        .values("pk")[:_PRUNED_AT_ONCE]
    )
    deleted, _ = Mail.objects.filter(pk__in=oldest).delete()
    return deleted
