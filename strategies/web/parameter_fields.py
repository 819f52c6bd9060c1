"""A strategy's parameters as fields of a form, for every page on which they are set."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms

from strategies import parameters
from strategies.parameters import ParameterInfo

#: In front of a parameter's name in a form, and in the fields of the services' problems.
PREFIX: Final = "parameters."


def parameter_fields(schema: Mapping[str, Any]) -> dict[str, forms.Field]:
    """Return a field for each parameter of a JSON Schema, by its name with PREFIX.

    The fields take any text: the registry says what is wrong with it, the same as everywhere.
    """
    return {f"{PREFIX}{info.name}": _field(info) for info in parameters.describe(schema)}


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters among a form's cleaned *values*, without PREFIX."""
    return {
        name.removeprefix(PREFIX): str(value)
        for name, value in values.items()
        if name.startswith(PREFIX)
    }


def _field(info: ParameterInfo) -> forms.Field:
    label = f"{info.title}, {info.unit}" if info.unit else info.title
    common: dict[str, Any] = {"label": label, "help_text": info.help, "initial": info.default}
    if info.kind == "choice":
        choices = list(zip(info.choices, info.labels, strict=True))
        return forms.ChoiceField(choices=choices, **common)
    common["help_text"] = f"{info.help} {_sentence(info)}".strip()
    if info.kind == "boolean":
        return forms.BooleanField(required=False, **common)
    # Required only for the marker beside the label: the registry refuses an empty one.
    return forms.CharField(max_length=100, widget=_widget(info), **common)


def _widget(info: ParameterInfo) -> forms.Widget:
    if info.kind == "text":
        return forms.TextInput()
    step = info.step if info.step is not None else ("1" if info.kind == "integer" else "any")
    bounds = {"min": info.minimum, "max": info.maximum, "step": step}
    attributes = {name: str(value) for name, value in bounds.items() if value is not None}
    return forms.NumberInput(attrs=attributes)


def _sentence(info: ParameterInfo) -> str:
    return f"{info.bounds[:1].upper()}{info.bounds[1:]}." if info.bounds else ""
