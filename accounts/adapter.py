"""How the accounts library makes, changes and mails people of ours."""

import base64
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core.internal import ratelimit
from allauth.core.internal.httpkit import clean_client_ip
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxLengthValidator
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import MailKind, User
from accounts.selectors.people import active_count
from accounts.services import addresses, passwords, people, second_factors
from accounts.services.mails import request_mail
from accounts.services.second_factors import Change
from foundation import crypto, site_settings
from foundation.audit import Actor
from foundation.crypto import SecretContext
from market.errors import PlatformError

#: The longest address that the standards of mail allow.
_fits_a_column = MaxLengthValidator(254, "An e-mail address has at most 254 characters.")

#: What the library's templates of mails are called here.
_MAILS: Final = {
    "account/email/email_confirmation": MailKind.VERIFY_ADDRESS,
    "account/email/email_confirmation_signup": MailKind.VERIFY_ADDRESS,
    "account/email/password_reset_key": MailKind.RESET_PASSWORD,
    "account/email/account_already_exists": MailKind.ALREADY_REGISTERED,
    "account/email/unknown_account": MailKind.UNKNOWN_ADDRESS,
}

#: The library tells of these deeds; of passwords and addresses our own services do.
_FACTOR_CHANGES: Final = {
    "mfa/email/totp_activated": Change.ACTIVATED,
    "mfa/email/totp_deactivated": Change.DEACTIVATED,
    "mfa/email/recovery_codes_generated": Change.RENEWED,
}

#: The library names no person when it encrypts, so the place is the kind of secret alone.
_SECOND_FACTOR: Final = SecretContext(owner="", holder="second-factor", field="secret", version=1)

_RESET_PAGE: Final = "account_reset_password_from_key"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library ships no types
    """Does through our services what the library would do itself, so that row, audit entry and mail belong together."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "Wrong e-mail address or password.",
        "incorrect_password": "Wrong password.",
        "incorrect_code": "Wrong code, or one that was used already.",
        "enter_current_password": "This is not your current password.",
        "too_many_login_attempts": "Too many wrong tries. Wait five minutes, then try again.",
        "rate_limited": "Too many tries. Wait five minutes, then try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Tell whether the operators let one more person in."""
        return site_settings.for_page(request).allows_sign_up(people=active_count())

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Create the person that *form* describes; raise AddressTakenError if there is one already."""
        return people.register_person(
            email=form.cleaned_data["email"],
            password=form.cleaned_data["password1"],
            now=timezone.now(),
            person=user,
            hint=request.COOKIES.get(settings.SIGN_UP_HINT_COOKIE, ""),
        )

    def clean_email(self, email: str) -> str:
        """Return *email*; refuse one that is longer than any column that holds it."""
        cleaned: str = super().clean_email(email)
        _fits_a_column(cleaned)
        return cleaned

    def set_password(self, user: User, password: str) -> None:
        """Store a new password; on the way of a forgotten one nothing stays signed in."""
        match = self.request.resolver_match
        if match is not None and match.url_name == _RESET_PAGE:
            changed = passwords.reset_password(
                person_id=user.pk, password=password, now=timezone.now()
            )
        else:
            changed = passwords.change_password(
                person_id=user.pk,
                password=password,
                keep_session_key=self.request.session.session_key,
                by=Actor.person(user.pk),
                now=timezone.now(),
            )
        # The library signs the present session anew with the row that it holds.
        user.password, user.token_epoch = changed.password, changed.token_epoch

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Prove an address, or change it for a new one; say why not."""
        try:
            addresses.confirm_address(
                address_id=email_address.pk, signed_in_id=request.user.pk, now=timezone.now()
            )
        except PlatformError as error:
            messages.error(request, error.message)
            return False
        messages.success(request, f"{email_address.email} is confirmed.")
        return True

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Ask for the mail; a worker makes its link and sends it, so that a request never waits for a server."""
        person = context.get("user")
        with transaction.atomic():
            request_mail(
                kind=_MAILS[template_prefix],
                recipient=email,
                owner_id=person.pk if person is not None else None,
            )

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """Mail the link to a person's proven address only: a new one that waits may be mistyped."""
        if email.lower() == user.email.lower():
            self.send_mail("account/email/password_reset_key", email, context)
        else:
            self.send_mail("account/email/unknown_account", email, {})

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Record a change of the second factor and tell the person."""
        change = _FACTOR_CHANGES.get(template_prefix)
        if change is not None:
            second_factors.note_change(
                person_id=user.pk, change=change, by=Actor.person(user.pk), now=timezone.now()
            )

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the caller's address: what our own proxies say, or the socket where there are none.

        Raises PermissionDenied for a caller without one.
        """
        address = request.META.get("REMOTE_ADDR", "")
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")
        if 0 < settings.ALLAUTH_TRUSTED_PROXY_COUNT <= len(forwarded):
            address = forwarded[-settings.ALLAUTH_TRUSTED_PROXY_COUNT] or address
        cleaned: str | None = clean_client_ip(address)
        if cleaned is None:
            raise PermissionDenied("The caller has no network address.")
        return cleaned

    def tries_left(self, request: HttpRequest, email: str) -> int | None:
        """Return how often the password for *email* may still be tried; None where nothing limits it.

        It is the same for addresses that nobody has.
        """
        key = self._get_login_attempts_cache_key(request, email=email)
        left = [
            rate.amount
            - len(
                cache.get(
                    ratelimit.get_cache_key(
                        request, app="allauth.account", action="login_failed", rate=rate, key=key
                    ),
                    [],
                )
            )
            for rate in ratelimit.get_rates(app="allauth.account", action="login_failed")
        ]
        return min(left, default=None)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # the library ships no types
    """Keeps seeds and recovery codes encrypted in the database."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": AccountAdapter.error_messages["incorrect_code"],
    }

    def encrypt(self, text: str) -> str:
        """Return *text* as it may be stored."""
        return base64.b64encode(crypto.encrypt(text, _SECOND_FACTOR)).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """Return what was stored; raise SealBrokenError if it was changed, or its key is gone."""
        return crypto.decrypt(base64.b64decode(encrypted_text), _SECOND_FACTOR).reveal()
