"""A strategy's parameters for people: what its JSON Schema says, flattened to plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

ParameterKind = Literal["integer", "number", "boolean", "choice", "text"]


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One parameter: how it is called, what it may be and what it changes.

    ``affects_signal`` tells whether another value makes other signals; otherwise it changes only
    rules and sizing. Bounds only describe: the registry decides what is accepted. ``labels`` says in
    words what each of the ``choices`` means.
    """

    name: str
    title: str
    help: str
    kind: ParameterKind
    default: Any  # whatever the strategy's own field declares
    minimum: float | None
    maximum: float | None
    step: float | None
    unit: str
    choices: tuple[str, ...]
    labels: tuple[str, ...]
    affects_signal: bool

    @property
    def bounds(self) -> str:
        """The allowed values in a few characters: ``2 to 100``; empty if anything goes."""
        if self.choices:
            return "; ".join(self.labels)
        if self.minimum is not None and self.maximum is not None:
            return f"{_plain(self.minimum)} to {_plain(self.maximum)}"
        if self.minimum is not None:
            return f"at least {_plain(self.minimum)}"
        return f"at most {_plain(self.maximum)}" if self.maximum is not None else ""

    def shown(self, value: Any) -> Any:
        """Return *value* as people read it: a choice by its label, a switch as on or off."""
        if isinstance(value, bool):
            return "on" if value else "off"
        return dict(zip(self.choices, self.labels, strict=True)).get(value, value)


def with_order(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return *schema* with a number in each parameter: a JSON column forgets their order."""
    properties = schema.get("properties", {})
    numbered = {
        name: {**declared, "order": order}
        for order, (name, declared) in enumerate(properties.items())
    }
    return {**schema, "properties": numbered}


def describe(schema: Mapping[str, Any]) -> Sequence[ParameterInfo]:
    """Return the parameters of a JSON Schema as pydantic writes it, in the order they were given.

    Without the numbers of ``with_order`` they stand as the schema has them.
    """
    definitions = schema.get("$defs", {})
    properties = schema.get("properties", {}).items()
    return tuple(
        _describe_one(name, _resolved(declared, definitions))
        for name, declared in sorted(properties, key=lambda each: each[1].get("order", 0))
    )


def _describe_one(name: str, declared: Mapping[str, Any]) -> ParameterInfo:
    # A choice of one is written as a constant.
    only = (declared["const"],) if "const" in declared else ()
    choices = tuple(str(choice) for choice in declared.get("enum", only))
    words = declared.get("labels", {})
    return ParameterInfo(
        name=name,
        title=declared.get("title", name),
        help=declared.get("description", ""),
        kind=_kind(declared, has_choices=bool(choices)),
        default=declared.get("default"),
        minimum=declared.get("minimum", declared.get("exclusiveMinimum")),
        maximum=declared.get("maximum", declared.get("exclusiveMaximum")),
        step=declared.get("step"),
        unit=declared.get("unit", ""),
        choices=choices,
        labels=tuple(words.get(choice, _in_words(choice)) for choice in choices),
        affects_signal=declared.get("affects") == "signal",
    )


def _plain(number: float) -> str:
    """Return a bound in digits, never with an exponent: ``1,000,000``."""
    text = format(Decimal(str(number)), ",f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _in_words(choice: str) -> str:
    """Return ``AT_ONCE`` as “At once”; what is not written so says what it is, such as ``4h``."""
    words = choice.replace("_", " ")
    is_constant = words.isupper() and words.replace(" ", "").isalpha()
    return words.capitalize() if is_constant else choice


def _kind(declared: Mapping[str, Any], *, has_choices: bool) -> ParameterKind:
    if has_choices:
        return "choice"
    kinds: dict[str, ParameterKind] = {
        "integer": "integer",
        "number": "number",
        "boolean": "boolean",
    }
    return kinds.get(declared.get("type", ""), "text")


def _resolved(declared: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *declared* with the definition that it refers to, which its own words override."""
    reference = declared.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return declared
    return {**definitions.get(reference.removeprefix("#/$defs/"), {}), **declared}
