"""What programs do without a page: signing up, following the links of mails, proving oneself again.

Addresses, passwords and links are checked by the accounts library, as on the pages; an answer never tells whether
an address is known.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from allauth.account.adapter import get_adapter
from allauth.account.forms import AddEmailForm, ResetPasswordForm, UserTokenForm
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.utils import is_mfa_enabled
from django.core.exceptions import ValidationError
from django.forms import EmailField
from django.http import HttpRequest

from accounts.models import MailKind, User
from accounts.services import addresses, passwords, people, sign_in
from accounts.services.mails import request_mail
from accounts.services.people import AddressTakenError
from foundation import audit
from foundation.audit import Actor
from foundation.transactions import transactional
from market.errors import FieldProblem, ForbiddenError, InvalidInputError, PlatformError

_LONGEST_KEY: Final = 300
_as_address: Final = EmailField()


class InvalidLinkError(InvalidInputError):
    """The key of a mail's link is made up, used, or too old."""

    code = "link_invalid"

    def __init__(self) -> None:
        super().__init__("This link is used or has expired. Ask for a new one.")


class ProofNeededError(ForbiddenError):
    """This changes how one comes in, so it needs the password, and the second factor of whoever has one."""

    code = "reauth_required"

    def __init__(self) -> None:
        super().__init__(
            "Send your current password as “password” and, with a second factor, a new code as “code”."
        )


def sign_up(*, email: str, password: str, now: datetime, hint: str = "") -> None:
    """Register a person, or tell the one who has the address; raise InvalidInputError for what is neither.

    *hint* is what the caller carried about where the person came from.
    """
    adapter = get_adapter()
    address = _checked("email", lambda: adapter.clean_email(_as_address.clean(email.lower())))
    _checked("password", lambda: adapter.clean_password(password, user=User(email=address)))
    try:
        people.register_person(email=address, password=password, now=now, hint=hint)
    except AddressTakenError:
        people.remind_of_account(email=address)


def confirm_by_link(*, key: str, signed_in_id: int | None, now: datetime) -> None:
    """Prove the address to which a mail with this *key* went.

    Raises InvalidLinkError, and what ``addresses.confirm_address`` raises: a change of address needs the person.
    """
    confirmation = EmailConfirmationHMAC.from_key(key[:_LONGEST_KEY])
    if confirmation is None:
        raise InvalidLinkError
    addresses.confirm_address(
        address_id=confirmation.email_address.pk, signed_in_id=signed_in_id, now=now
    )


def send_reset_link(*, request: HttpRequest, email: str) -> None:
    """Mail a link that resets the password to whoever has this address; raise InvalidInputError for no address."""
    form = ResetPasswordForm(data={"email": email.strip()})
    _require(form)
    form.save(request)


def reset_by_link(*, key: str, password: str, now: datetime) -> None:
    """Store the new password of the person to whom a mail with this *key* went; raise InvalidLinkError."""
    user_part, _, proof = key[:_LONGEST_KEY].partition("-")
    form = UserTokenForm(data={"uidb36": user_part, "key": proof})
    if not form.is_valid() or not form.reset_user.is_active:
        raise InvalidLinkError
    person: User = form.reset_user
    _checked("password", lambda: get_adapter().clean_password(password, user=person))
    passwords.reset_password(person_id=person.pk, password=password, now=now)


def ask_for_address(*, person: User, email: str, by: Actor) -> None:
    """Mail a link to a new address, which takes the place of the present one when it is followed.

    The answer is the same for an address that somebody has. Raises InvalidInputError for what is no address, or is
    the person's own.
    """
    form = AddEmailForm(data={"email": email.strip().lower()}, user=person)
    _require(form)
    _ask_for_address(person, form.cleaned_data["email"], by=by)


def check_new_password(*, person: User, password: str) -> None:
    """Raise InvalidInputError for a password that is too weak, or that equals the present one."""
    _checked("new_password", lambda: get_adapter().clean_password(password, user=person))
    if person.check_password(password):
        message = "This is your present password."
        raise InvalidInputError(
            message, problems=[FieldProblem("new_password", "unchanged", message)]
        )


def prove_again(*, person: User, password: str, code: str) -> None:
    """Raise ProofNeededError unless both are right, or TooManyAttemptsError after wrong ones."""
    try:
        is_right = bool(password) and get_adapter().reauthenticate(person, password)
    except ValidationError as error:
        raise sign_in.refusal_of(error) from None
    if not is_right:
        raise ProofNeededError
    if is_mfa_enabled(person):
        _prove_code(person_id=person.pk, code=code)


@transactional
def _ask_for_address(person: User, email: str, *, by: Actor) -> None:
    User.objects.select_for_update().get(pk=person.pk)
    # A former wish that still waits goes: one address at a time.
    EmailAddress.objects.add_new_email(None, person, email, send_verification=False)
    request_mail(kind=MailKind.VERIFY_ADDRESS, recipient=email, owner_id=person.pk)
    audit.record(actor=by, verb="person.address_wanted", target=person, owner_id=person.pk)


@transactional
def _prove_code(*, person_id: int, code: str) -> None:
    person = User.objects.select_for_update().get(pk=person_id)
    try:
        sign_in.prove_second_factor(person, code=code)
    except sign_in.WrongCredentialsError:
        raise ProofNeededError from None


def _checked(field: str, check: Callable[[], Any]) -> Any:
    """Return what *check* returns; raise InvalidInputError with what the library says is wrong."""
    try:
        return check()
    except ValidationError as error:
        raise _as_problems({field: error.error_list}) from None


def _require(form: Any) -> None:
    if not form.is_valid():
        raise _as_problems(form.errors.as_data())


def _as_problems(errors: dict[str, list[ValidationError]]) -> PlatformError:
    problems = [
        FieldProblem(field, error.code or "invalid", " ".join(error.messages))
        for field, found in errors.items()
        for error in found
    ]
    return InvalidInputError(" ".join(each.message for each in problems), problems=problems)
