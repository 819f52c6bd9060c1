"""Celery entry points of the people; each is one call of a service."""

from django.utils import timezone

from accounts.services import mail_delivery, mails, notifications, refresh_families
from foundation.queue import queued_task


@queued_task("accounts.send_mail", queue="default")
def send_mail(*, mail_id: int) -> None:
    """Send one mail, if it is still to be sent."""
    mail_delivery.send_mail(mail_id=mail_id)


@queued_task("accounts.sweep_mails", queue="default")
def sweep_mails() -> None:
    """Find mails whose message was lost or that are to be tried again."""
    mail_delivery.sweep_mails()


@queued_task("accounts.prune_mails", queue="default")
def prune_mails() -> None:
    """Forget mails that were sent or given up long ago."""
    mails.prune_mails(now=timezone.now())


@queued_task("accounts.prune_notifications", queue="default")
def prune_notifications() -> None:
    """Forget notifications that are long read, or were not read for a year."""
    notifications.prune_notifications(now=timezone.now())


@queued_task("accounts.forget_ended_sign_ins", queue="default")
def forget_ended_sign_ins() -> None:
    """Forget sign-ins of programs that have long been over."""
    refresh_families.forget_ended(now=timezone.now())
