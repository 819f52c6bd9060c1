"""What the API of exchange accounts takes."""

from typing import Any

from rest_framework import serializers

from exchanges.domain.credentials import PastedCredential
from foundation.serializers import StrictSerializer, TextField


class PaperSerializer(StrictSerializer):
    """The venue whose prices a paper account follows."""

    venue = TextField(max_length=40)


class KeySerializer(StrictSerializer):
    """The keys of an account; the service checks what the values mean, so that forms and API agree."""

    api_key = TextField(max_length=2_000, allow_blank=True, trim_whitespace=False)
    secret = TextField(max_length=2_000, allow_blank=True, trim_whitespace=False)
    passphrase = TextField(max_length=2_000, default="", allow_blank=True, trim_whitespace=False)
    declares_safe = serializers.BooleanField(
        default=False,
        help_text="Your word that the key can neither withdraw nor transfer; needed where the venue does not tell.",
    )

    @property
    def pasted(self) -> PastedCredential:
        """The keys as they were sent."""
        values = self.validated_data
        return PastedCredential(values["api_key"], values["secret"], values["passphrase"])


class ConnectSerializer(KeySerializer):
    """A new account."""

    venue = TextField(max_length=40)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``label``, a word that the framework keeps for itself."""
        label = TextField(max_length=200, default="", allow_blank=True)
        return {**super().get_fields(), "label": label}


class DeclarationSerializer(StrictSerializer):
    """A person's word about the key in use."""

    declares_safe = serializers.BooleanField(
        help_text="True: the key can neither withdraw nor transfer."
    )

    def validate_declares_safe(self, value: bool) -> bool:
        """Refuse to take a no for a declaration."""
        if not value:
            raise serializers.ValidationError(
                "Replace the key by one that cannot withdraw.", code="declaration_missing"
            )
        return value


class NothingSerializer(StrictSerializer):
    """No input at all."""
