"""What the API of the people takes; the services behind it check what the values mean."""

from typing import Any, Final

from rest_framework import serializers

from accounts.models import TokenScope
from accounts.services.personal_tokens import MAXIMUM_DAYS, MAXIMUM_NAME
from foundation.serializers import IdField, StrictSerializer, TextField, WholeNumberField

_LONGEST_ADDRESS: Final = 254
_LONGEST_PASSWORD: Final = 256
_LONGEST_CODE: Final = 40
_LONGEST_TOKEN: Final = 4_000


def _password(**options: Any) -> TextField:
    return TextField(max_length=_LONGEST_PASSWORD, trim_whitespace=False, **options)


def _code() -> TextField:
    return TextField(
        max_length=_LONGEST_CODE,
        default="",
        allow_blank=True,
        help_text="Of the authenticator app, or a recovery code; for people with a second factor.",
    )


class ProvenSerializer(StrictSerializer):
    """Input of what changes how a person comes in: the proofs once more."""

    password = _password(default="", allow_blank=True, help_text="The current one.")
    code = _code()


class SignInSerializer(StrictSerializer):
    """The proofs of a person."""

    email = TextField(max_length=_LONGEST_ADDRESS)
    password = _password()
    code = _code()


class RefreshSerializer(StrictSerializer):
    """A refresh token."""

    refresh = TextField(max_length=_LONGEST_TOKEN)


class RegisterSerializer(StrictSerializer):
    """A new person."""

    email = TextField(max_length=_LONGEST_ADDRESS)
    password = _password(help_text="At least 10 characters, and not a common one.")


class AddressSerializer(StrictSerializer):
    """An e-mail address to which something is sent."""

    email = TextField(max_length=_LONGEST_ADDRESS)


class LinkSerializer(StrictSerializer):
    """What stands in the link of a mail, between its last slashes."""

    key = TextField(max_length=300)


class ResetSerializer(LinkSerializer):
    """The link of a mail, and the password that is to hold from now on."""

    password = _password()


class NewPasswordSerializer(ProvenSerializer):
    """A new password, and the proofs of the person."""

    new_password = _password()


class NewAddressSerializer(ProvenSerializer):
    """A new address, and the proofs of the person."""

    email = TextField(max_length=_LONGEST_ADDRESS)


class ProfileSerializer(StrictSerializer):
    """What to change of a profile; the rest stays."""

    display_name = TextField(max_length=200, required=False, allow_blank=True)
    bio = TextField(max_length=2_000, required=False, allow_blank=True)
    time_zone = TextField(max_length=64, required=False)
    currency = TextField(max_length=10, required=False)
    theme = TextField(max_length=10, required=False)


class NewTokenSerializer(ProvenSerializer):
    """A token for a program, and the proofs of the person."""

    name = TextField(max_length=MAXIMUM_NAME)
    scopes = serializers.ListField(
        child=TextField(max_length=20),
        max_length=20,
        help_text=f"Of {', '.join(TokenScope.values)}.",
    )
    expires_in_days = WholeNumberField(default=90, help_text=f"From 1 to {MAXIMUM_DAYS}.")


class ReadSerializer(StrictSerializer):
    """Up to which notification everything is read."""

    newest = IdField(help_text="The first one of the list that was shown.")
