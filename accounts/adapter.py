"""How the accounts library makes people of ours, and how it sends mail."""

import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from accounts.services import people

logger = logging.getLogger(__name__)

#: The longest address that the standards of mail allow.
_fits_a_column = MaxLengthValidator(254, "An e-mail address has at most 254 characters.")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library ships no types
    """Registers through our service, so that the row, the audit entry and the event belong together."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Create the person that *form* describes; raise AddressTakenError if there is one already."""
        return people.register_person(
            email=form.cleaned_data["email"],
            password=form.cleaned_data["password1"],
            now=timezone.now(),
            person=user,
        )

    def clean_email(self, email: str) -> str:
        """Return *email*; refuse one that is longer than any column that holds it."""
        cleaned: str = super().clean_email(email)
        _fits_a_column(cleaned)
        return cleaned

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail; without a mail server the page stays the same for known and unknown addresses."""
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            logger.warning(
                "mail.not_sent", extra={"template": template_prefix, "reason": type(error).__name__}
            )
