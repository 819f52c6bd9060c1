"""Sending mails: each row by one worker at a time, tried again while the mail server is away.

A claim is one UPDATE that counts the attempt and says when the next one may begin, by the database's
clock, so two workers never send the same attempt, and the death of a worker costs a wait and no mail.
Between the claim and the note that the server took the mail no transaction is open. A worker that dies
in that moment leaves a mail that is sent once more, with the same Message-ID.
"""

import logging
from datetime import timedelta
from smtplib import SMTPException
from typing import Final

from django.conf import settings
from django.db.models import Case, DurationField, F, QuerySet, Value, When
from django.db.models.functions import Now

from accounts.models import Mail, MailKind, User
from accounts.services.mail_links import MailObsoleteError
from accounts.services.mail_texts import compose
from foundation.queue import enqueue
from foundation.transactions import refuse_inside_transaction

logger = logging.getLogger(__name__)

#: How long after the first, second, ... attempt the next one may begin; the attempt after the last wait is the last.
WAITS: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=10),
)
_ATTEMPTS: Final = len(WAITS) + 1
_BATCH: Final = 100

#: Mails that also reach a person who was deactivated meanwhile: what happened to money and orders of theirs.
_AFTER_DEACTIVATION: Final = frozenset(
    {
        MailKind.DEPLOYMENT_STOPPED,
        MailKind.DEPLOYMENT_FAILED,
        MailKind.ORDER_PROBLEM,
        MailKind.SUBSCRIPTION_ENDED,
        MailKind.RECEIPT,
        MailKind.REFUND_SENT,
        MailKind.RECEIPT,
        MailKind.REFUND_SENT,
        MailKind.PAYOUT_SENT,
        MailKind.PAYOUT_REJECTED,
    }
)


def send_mail(*, mail_id: int) -> None:
    """Send one mail if it is due; a repeated or early message does nothing."""
    refuse_inside_transaction("Sending a mail")
    mail = _claim(mail_id=mail_id)
    if mail is None:
        return
    try:
        compose(mail, person=_recipient(mail)).send()
    except MailObsoleteError as error:
        _note_failure(mail, error, is_final=True)
    except (OSError, SMTPException) as error:
        _note_failure(mail, error, is_final=mail.attempts >= _ATTEMPTS)
    except Exception as error:
        # The outermost frame of a delivery: a broken template must be seen, and must not be tried for ever.
        logger.exception("mail.broken", extra={"mail_id": mail.pk, "kind": mail.kind})
        _note_failure(mail, error, is_final=mail.attempts >= _ATTEMPTS)
    else:
        Mail.objects.filter(pk=mail.pk).update(sent_at=Now(), last_error="")
        logger.info("mail.sent", extra={"mail_id": mail.pk, "kind": mail.kind})


def sweep_mails() -> int:
    """Send again the messages of mails that are due and were not taken; return how many those are."""
    overdue = Now() - timedelta(seconds=settings.HORIZONS.redeliver_s)
    # The last attempt of these ended with the life of its worker.
    _unsent().filter(attempts__gte=_ATTEMPTS, not_before__lte=overdue).update(failed_at=Now())
    due = _unsent().filter(not_before__lte=overdue).order_by("not_before", "pk")
    mail_ids = list(due.values_list("pk", flat=True)[:_BATCH])
    for mail_id in mail_ids:
        enqueue("accounts.send_mail", mail_id=mail_id)
    return len(mail_ids)


def _claim(*, mail_id: int) -> Mail | None:
    """Take the right to make the next attempt; None if somebody else has it, or nothing is to be done."""
    wait = Case(
        *(When(attempts=count, then=Value(wait)) for count, wait in enumerate(WAITS)),
        default=Value(WAITS[0]),
        output_field=DurationField(),
    )
    claimed = (
        _unsent()
        .filter(pk=mail_id, not_before__lte=Now(), attempts__lt=_ATTEMPTS)
        .update(attempts=F("attempts") + 1, not_before=Now() + wait)
    )
    return Mail.objects.get(pk=mail_id) if claimed else None


def _unsent() -> QuerySet[Mail]:
    return Mail.objects.filter(sent_at=None, failed_at=None)


def _recipient(mail: Mail) -> User | None:
    """Return whom *mail* is about; raise MailObsoleteError if they should not get it any more."""
    if mail.owner_id is None:
        return None
    person = User.objects.get(pk=mail.owner_id)
    if person.erased_at is not None:
        raise MailObsoleteError
    if not person.is_active and mail.kind not in _AFTER_DEACTIVATION:
        raise MailObsoleteError
    return person


def _note_failure(mail: Mail, error: Exception, *, is_final: bool) -> None:
    """Keep the class of *error* alone: what a mail server says may hold the mail itself."""
    reason = type(error).__name__
    Mail.objects.filter(pk=mail.pk).update(
        last_error=reason, **({"failed_at": Now()} if is_final else {})
    )
    logger.warning(
        "mail.not_sent",
        extra={"mail_id": mail.pk, "kind": mail.kind, "reason": reason, "final": is_final},
    )
