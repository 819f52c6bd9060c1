"""People."""

import time
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.test import Client

from accounts.models import User

PASSWORD = "quiet-harbor-71"
#: The seed of every second factor of the tests, in base 32.
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
_STEP_S = 30
#: A code that is about to change may have changed when it arrives.
_LAST_MOMENT_S = 1.5


def make_person(email: str = "ada@example.com", *, is_verified: bool = True, **fields: Any) -> User:
    """Return a person who can sign in with PASSWORD; without *is_verified*, only after a link."""
    person = User.objects.create_user(email, PASSWORD, **fields)
    EmailAddress.objects.create(user=person, email=person.email, primary=True, verified=is_verified)
    return person


def make_operator(email: str = "operator@example.com") -> User:
    """Return a person with every permission."""
    return make_person(email, is_staff=True, is_superuser=True)


def give_second_factor(person: User) -> list[str]:
    """Have *person* use an authenticator with SEED; return the recovery codes."""
    TOTP.activate(person, SEED)
    return list(RecoveryCodes.activate(person).generate_codes())


def code_now() -> str:
    """Return what an authenticator with SEED shows at the moment, and for a moment more."""
    if time.time() % _STEP_S > _STEP_S - _LAST_MOMENT_S:
        time.sleep(_LAST_MOMENT_S)
    return str(format_hotp_value(hotp_value(SEED, int(time.time()) // _STEP_S)))


def sign_in_operator(client: Client, person: User | None = None) -> User:
    """Sign an operator in as the operators' pages want it: with the second factor; return the operator."""
    operator = person or make_operator()
    if not Authenticator.objects.filter(user=operator).exists():
        give_second_factor(operator)
    client.force_login(operator)
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "mfa", "at": time.time(), "type": "totp"}
    ]
    session["account_authentication_methods_user"] = str(operator.pk)
    session.save()
    return operator
