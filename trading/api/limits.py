"""Limits as the JSON API takes and answers them."""

from typing import Any

from rest_framework import serializers

from trading.domain.protections import Limits
from trading.services.limits import LIMITS


class LimitsSerializer(serializers.Serializer[Any]):
    """Every limit as text; null is no limit."""

    def get_fields(self) -> dict[str, Any]:
        """Return one field for each limit."""
        return {
            info.name: serializers.CharField(
                allow_null=True,
                required=False,
                max_length=20,
                help_text=f"{info.text} In {info.unit}, {info.low} to {info.high}; {info.hint}.",
            )
            for info in LIMITS
        }


def present_limits(found: Limits) -> dict[str, str | None]:
    """Return every limit as text; None is no limit."""
    shown: dict[str, str | None] = {}
    for info in LIMITS:
        value = getattr(found, info.name)
        plain = str(value) if info.is_whole or value is None else f"{value.normalize():f}"
        shown[info.name] = None if value is None else plain
    return shown
