"""Celery entry points of the people; each is one call of a service."""

from accounts.services import mail_delivery
from foundation.queue import queued_task


@queued_task("accounts.send_mail", queue="default")
def send_mail(*, mail_id: int) -> None:
    """Send one mail, if it is still to be sent."""
    mail_delivery.send_mail(mail_id=mail_id)


@queued_task("accounts.sweep_mails", queue="default")
def sweep_mails() -> None:
    """Find mails whose message was lost or that are to be tried again."""
    mail_delivery.sweep_mails()
