"""Links that prove who follows them: made at the moment of sending, kept nowhere."""

from urllib.parse import quote

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.urls import reverse

from accounts.models import Mail, MailKind, User


class MailObsoleteError(Exception):
    """What the mail was for is no more, so it is not sent."""


def link_of(mail: Mail, *, person: User | None) -> str:
    """Return the address that *mail* leads to, from ``https://`` on; empty if it leads nowhere.

    Raises MailObsoleteError if the address to confirm is confirmed or gone, and if there is nobody
    whose password could be reset.
    """
    if mail.kind == MailKind.VERIFY_ADDRESS:
        return absolute(_verification_path(mail))
    if mail.kind == MailKind.RESET_PASSWORD:
        return absolute(_reset_path(mail, person))
    if mail.kind == MailKind.ALREADY_REGISTERED:
        return absolute(reverse("account_reset_password"))
    if mail.kind == MailKind.UNKNOWN_ADDRESS:
        return absolute(reverse("account_signup"))
    path = str(mail.facts.get("path", ""))
    return absolute(path) if path else ""


def absolute(path: str) -> str:
    """Return *path* with the address of the site before it."""
    return f"{settings.SITE_URL}{path}"


def _verification_path(mail: Mail) -> str:
    address = EmailAddress.objects.filter(
        user_id=mail.owner_id, email__iexact=mail.recipient, verified=False
    ).first()
    if address is None:
        raise MailObsoleteError
    return reverse("account_confirm_email", args=[EmailConfirmationHMAC(address).key])


def _reset_path(mail: Mail, person: User | None) -> str:
    # Whoever reads a former address has no right to the account any more.
    if person is None or person.email.lower() != mail.recipient.lower():
        raise MailObsoleteError
    key = f"{user_pk_to_url_str(person)}-{default_token_generator.make_token(person)}"
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
    return path.replace("UID-KEY", quote(key))
