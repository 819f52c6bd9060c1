"""Signing a program in: the password first, then the second factor of whoever has one.

Password and code go through the accounts library, so that pages and programs share its limits on guessing, its
equal time for known and unknown addresses, and codes that are good once.
"""

from datetime import datetime

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.utils import has_verified_email
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.utils import is_mfa_enabled
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.models import User
from accounts.services import refresh_families
from accounts.services.refresh_families import TokenPair
from foundation.http import address_of
from foundation.transactions import part_of_transaction, transactional
from market.errors import PlatformError

_TOO_MANY = "too_many_login_attempts"


class WrongCredentialsError(PlatformError):
    """Address, password or code is wrong, or the account is closed; nothing says which."""

    code = "invalid_credentials"
    status = 401
    title = "Not signed in"

    def __init__(self) -> None:
        super().__init__("Wrong e-mail address, password or code.")


class SecondFactorRequiredError(PlatformError):
    """The password is right, and the person has a second factor."""

    code = "second_factor_required"
    status = 401
    title = "A code is needed"

    def __init__(self) -> None:
        super().__init__("Send the code of your authenticator app, or a recovery code, as “code”.")


class AddressNotVerifiedError(PlatformError):
    """The password is right, and the person has not confirmed the address yet."""

    code = "address_not_verified"
    status = 401
    title = "The address is not confirmed"

    def __init__(self) -> None:
        super().__init__("Confirm your e-mail address first; the mail can be sent again.")


class TooManyAttemptsError(PlatformError):
    """Somebody has guessed too often, at this account or from this address."""

    code = "rate_limited"
    status = 429
    title = "Too many attempts"
    retry_after_s = 300

    def __init__(self) -> None:
        super().__init__("Too many attempts. Try again in five minutes.")


def sign_in(
    *, request: HttpRequest, email: str, password: str, code: str, now: datetime
) -> TokenPair:
    """Return tokens for a program of the person with this address.

    Raises WrongCredentialsError whatever of the three is wrong, TooManyAttemptsError, and, only after the right
    password, AddressNotVerifiedError and SecondFactorRequiredError (no *code*, and one is needed).
    """
    person = _person_of(request, email=email.strip().lower(), password=password)
    if is_mfa_enabled(person) and not code:
        raise SecondFactorRequiredError
    return _open(request, person, code=code, now=now)


@transactional
def _open(request: HttpRequest, person: User, *, code: str, now: datetime) -> TokenPair:
    # Under this lock a recovery code cannot be used twice at the same moment, and nobody is deactivated meanwhile.
    locked = User.objects.select_for_update().get(pk=person.pk)
    if not locked.is_active:
        raise WrongCredentialsError
    if is_mfa_enabled(locked):
        prove_second_factor(locked, code=code)
    return refresh_families.open_family(
        person=locked,
        user_agent=request.headers.get("User-Agent", ""),
        ip_address=address_of(request),
        now=now,
    )


def _person_of(request: HttpRequest, *, email: str, password: str) -> User:
    try:
        person = get_adapter().authenticate(request, email=email, password=password)
    except ValidationError as error:
        raise refusal_of(error) from None
    if not isinstance(person, User) or not person.is_active:
        raise WrongCredentialsError
    must_be_verified = (
        app_settings.EMAIL_VERIFICATION == app_settings.EmailVerificationMethod.MANDATORY
    )
    if must_be_verified and not has_verified_email(person):
        raise AddressNotVerifiedError
    return person


@part_of_transaction
def prove_second_factor(person: User, *, code: str) -> None:
    """Use up a code of a locked *person*; raise WrongCredentialsError or TooManyAttemptsError."""
    form = AuthenticateForm(data={"code": code}, user=person)
    if not form.is_valid():
        raise refusal_of(ValidationError(form.errors.as_data()["code"]))
    form.authenticator.record_usage()


def refusal_of(error: ValidationError) -> PlatformError:
    """Return what the library's refusal of a password or a code is called on our wire."""
    codes = {each.code for each in error.error_list}
    return TooManyAttemptsError() if _TOO_MANY in codes else WrongCredentialsError()
