"""What a mail says: subject, text and HTML from the templates of its kind."""

from collections.abc import Mapping
from email.utils import formataddr, parseaddr
from typing import Any, Final
from urllib.parse import urlsplit

from allauth.account import app_settings as account_settings
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import Mail, MailKind, User
from accounts.services import mail_links
from foundation import site_settings
from foundation.site_settings import SiteSettings

#: Facts that have a place of their own in a mail; all others become lines.
_PLACED: Final = frozenset({"title", "body", "path"})

#: Longer subjects are cut off by most readers, and a line of a header may not grow without end.
_LONGEST_SUBJECT: Final = 150


def compose(mail: Mail, *, person: User | None) -> EmailMultiAlternatives:
    """Return *mail* ready to be sent; raise MailObsoleteError if its reason is gone.

    The same row gets the same Message-ID each time, so that a mail that was sent twice, because a
    worker died after the server had taken it, is recognized as one.
    """
    site = site_settings.current()
    context = _context(mail, person, site)
    # What a template or a fact holds must stay one line: a header ends at a line break.
    subject = " ".join(render_to_string(f"emails/{mail.kind}.subject.txt", context).split())
    context["subject"] = subject
    message = EmailMultiAlternatives(
        subject=subject[:_LONGEST_SUBJECT],
        body=render_to_string(f"emails/{mail.kind}.txt", context).strip() + "\n",
        from_email=formataddr((site.mail_from_name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1])),
        to=[mail.recipient],
        headers={
            "Message-ID": f"<{mail.public_id}@{urlsplit(settings.SITE_URL).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string(f"emails/{mail.kind}.html", context), "text/html")
    return message


def _context(mail: Mail, person: User | None, site: SiteSettings) -> dict[str, Any]:
    return {
        "site_name": site.site_name,
        "site_url": settings.SITE_URL,
        "support_email": site.support_email,
        "name": _name(mail, person),
        "title": mail.facts.get("title") or MailKind(mail.kind).label,
        "body": mail.facts.get("body", ""),
        "details": _details(mail.facts),
        "link": mail_links.link_of(mail, person=person),
        "confirm_days": account_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS,
        "reset_link": mail_links.absolute(reverse("account_reset_password")),
    }


def _name(mail: Mail, person: User | None) -> str:
    """Return how to greet the reader; an address that nobody has confirmed is greeted by no name.

    Whoever signs up chooses the name, so with it strangers could be sent words of somebody else's.
    """
    if person is None or mail.kind == MailKind.VERIFY_ADDRESS:
        return ""
    return " ".join(person.display_name.split())


def _details(facts: Mapping[str, str | int]) -> list[tuple[str, str]]:
    return [
        (name.replace("_", " ").capitalize(), str(value))
        for name, value in facts.items()
        if name not in _PLACED and str(value)
    ]
