"""Input of the JSON API, taken exactly as it is meant: no unknown names, no silent conversions."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NoReturn
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,18})?", re.ASCII)
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
#: No number that a person means is larger.
_MOST: Final = 2**31
#: What the framework calls its refusals, and what we do.
_CODES: Final = {"null": "null_not_allowed", "invalid": "wrong_type", "not_a_dict": "wrong_type"}


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown names, and says which ones it knows."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the checked values; all problems are raised at once."""
        _refuse_half_characters(data)
        problems: dict[str, Any] = {}
        if isinstance(data, Mapping):
            allowed = ", ".join(self.fields)
            for name in data.keys() - self.fields.keys():
                problems[str(name)[:40]] = [
                    serializers.ErrorDetail(
                        f"Unknown field “{str(name)[:40]}”. Allowed: {allowed}.", "unknown_field"
                    )
                ]
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            raise serializers.ValidationError({**error.detail, **problems}) from None
        if problems:
            raise serializers.ValidationError(problems)
        return values


class _CodedField:
    """Gives the framework's refusals the codes of our wire."""

    def fail(self, key: str, **words: Any) -> NoReturn:
        """Raise the refusal *key*."""
        message = self.error_messages[key].format(**words)  # type: ignore[attr-defined]  # of the field
        raise serializers.ValidationError(message, code=_CODES.get(key, key))


class TextField(_CodedField, serializers.CharField):
    """Text, and nothing that could be read as text."""

    def to_internal_value(self, data: Any) -> str:
        """Return *data* if it is text."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Send text.", code="wrong_type")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"})
class DecimalField(_CodedField, serializers.Field[Decimal, Any, str, Any]):
    """An exact number: text such as ``"0.015"``, or a whole number; never a float."""

    def to_internal_value(self, data: Any) -> Decimal:
        """Return *data* as an exact number."""
        if isinstance(data, bool) or not isinstance(data, str | int):
            message = "Send the number as text, such as “0.015”."
            raise serializers.ValidationError(message, code="wrong_type")
        text = str(data)
        if not _DECIMAL.fullmatch(text):
            message = "Use digits and “.”, at most 18 digits after it."
            raise serializers.ValidationError(message, code="invalid_decimal")
        return Decimal(text)


@extend_schema_field({"type": "string", "format": "date-time"})
class InstantField(_CodedField, serializers.Field[datetime, Any, str, Any]):
    """An instant in ISO 8601 with its zone."""

    def to_internal_value(self, data: Any) -> datetime:
        """Return *data* in UTC."""
        instant = _instant_of(data) if isinstance(data, str) else None
        if instant is None:
            message = "Use ISO 8601 with a zone, such as 2026-01-31T00:00:00Z."
            raise serializers.ValidationError(message, code="invalid_datetime")
        return instant


@extend_schema_field({"type": "string", "format": "uuid"})
class IdField(_CodedField, serializers.Field[UUID, Any, str, Any]):
    """The public id of something."""

    def to_internal_value(self, data: Any) -> UUID:
        """Return *data* as an id if it is the text of one."""
        try:
            if isinstance(data, str):
                return UUID(data)
        except ValueError:
            pass
        raise serializers.ValidationError("Send the id as it was given to you.", code="invalid_id")


@extend_schema_field({"type": "integer"})
class WholeNumberField(_CodedField, serializers.Field[int, Any, int, Any]):
    """A whole number; never text or true."""

    def to_internal_value(self, data: Any) -> int:
        """Return *data* if it is a whole number that a column could hold."""
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("Send a whole number.", code="wrong_type")
        if abs(data) >= _MOST:
            raise serializers.ValidationError("The number is too large.", code="out_of_range")
        return data


class ObjectField(_CodedField, serializers.DictField):
    """A JSON object with values of any kind, which whoever takes it checks."""


def _instant_of(text: str) -> datetime | None:
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        # The 30th of February, or a zone that leads out of the calendar.
        return None


def _refuse_half_characters(data: Any) -> None:
    """JSON can write half of a surrogate pair, which nothing behind this can store or send."""
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        message = "The text contains characters that do not exist."
        problem = serializers.ErrorDetail(message, "invalid_characters")
        raise serializers.ValidationError({"": [problem]}) from None
