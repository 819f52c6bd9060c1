"""Form fields for limits: one for each, empty for none."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms

from trading.domain.protections import Limits
from trading.services.limits import LIMITS
from trading.services.terms import PROTECTIONS


def limit_fields(limits: Limits, *, prefix: str = PROTECTIONS) -> dict[str, forms.Field]:
    """Return a field for each limit, by its name with *prefix*, that says what is set now."""
    return {
        prefix + info.name: forms.CharField(
            label=f"{info.title} ({info.unit})",
            required=False,
            max_length=20,
            help_text=info.text,
            initial=_shown(getattr(limits, info.name)),
            widget=forms.TextInput(attrs={"inputmode": "decimal", "placeholder": info.hint}),
        )
        for info in LIMITS
    }


def limits_of(values: Mapping[str, Any], *, prefix: str = PROTECTIONS) -> dict[str, str]:
    """Return what was written among a form's cleaned *values*, without *prefix*, as services take it."""
    return {
        info.name: values[prefix + info.name].strip()
        for info in LIMITS
        if values.get(prefix + info.name)
    }


def _shown(value: Decimal | int | None) -> str:
    return "" if value is None else f"{Decimal(value).normalize():f}"
