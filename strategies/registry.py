"""Which strategies exist, and how parameters from outside become parameters of one.

Ours are listed here; other packages add theirs through the entry-point group
``trading_platform.strategies``, each entry naming a module of the same shape as those in
``strategies.definitions``. Nothing is ever loaded from a path in a database.
"""

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from itertools import pairwise
from types import ModuleType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from market.errors import FieldProblem, InvalidInputError, NotFoundError
from strategies.definitions import ema_crossover
from strategies.indicators import averages, crossings
from strategies.rules import Rules
from strategies.shapes import INCONSISTENT, Category, Overlay, Requirements, Risk, StrategyParams
from strategies.signals import Signals
from strategies.views import MarketView

ENTRY_POINT_GROUP: Final = "trading_platform.strategies"

_OURS: Final[Sequence[ModuleType]] = (ema_crossover,)
_INDICATORS: Final[Sequence[ModuleType]] = (averages, crossings)
_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class UnknownStrategyError(NotFoundError):
    """No strategy has this slug."""

    code = "unknown_strategy"

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is no strategy called “{slug}”.")
        self.slug = slug


class InvalidParametersError(InvalidInputError):
    """Parameters do not fit the strategy; ``problems`` has one entry for each."""

    code = "invalid_parameters"


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """One strategy of the catalogue: what it is called and the functions that it consists of.

    The functions take the strategy's own ``params`` type, which this table cannot express.
    """

    slug: str
    name: str
    category: Category
    risk: Risk
    summary: str
    version: str
    params: type[StrategyParams]
    requirements: Callable[[Any], Requirements]
    signals: Callable[[MarketView, Any], Signals]
    rules: Callable[[Any], Rules]
    overlays: Callable[[MarketView, Any], Sequence[Overlay]]
    module: ModuleType

    def default_params(self) -> StrategyParams:
        """Return the parameters with every default."""
        return self.params()

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the parameters, with the unit of each and what it affects."""
        return self.params.model_json_schema()


def definition_of(module: ModuleType) -> Definition:
    """Return the definition that *module* holds; raise ValueError if it is not one."""
    try:
        found = Definition(
            slug=module.SLUG,
            name=module.NAME,
            category=Category(module.CATEGORY),
            risk=Risk(module.RISK),
            summary=module.SUMMARY,
            version=module.VERSION,
            params=module.Params,
            requirements=module.requirements,
            signals=module.signals,
            rules=module.rules,
            overlays=module.overlays,
            module=module,
        )
    except (AttributeError, ValueError) as error:
        raise ValueError(f"{module.__name__} is not a strategy: {error}.") from error
    if not _SLUG.fullmatch(found.slug):
        raise ValueError(
            f"{module.__name__} has the slug {found.slug!r}; use a-z, 0-9 and hyphens."
        )
    for name, field in found.params.model_fields.items():
        if _extra(field.json_schema_extra).get("affects") not in {"signal", "rules"}:
            raise ValueError(
                f"{module.__name__}: {name} does not say whether it affects signal or rules."
            )
    return found


@cache
def all_definitions() -> tuple[Definition, ...]:
    """Return every strategy, by slug; raise ValueError if two share one."""
    modules = [*_OURS, *(entry.load() for entry in entry_points(group=ENTRY_POINT_GROUP))]
    found = sorted((definition_of(module) for module in modules), key=lambda each: each.slug)
    for one, next_one in pairwise(found):
        if one.slug == next_one.slug:
            raise ValueError(
                f"Two strategies are called {one.slug!r}: "
                f"{one.module.__name__} and {next_one.module.__name__}."
            )
    return tuple(found)


def get_definition(slug: str) -> Definition:
    """Return the strategy called *slug*; raise UnknownStrategyError if there is none."""
    for definition in all_definitions():
        if definition.slug == slug:
            return definition
    raise UnknownStrategyError(slug)


def validate_params(
    definition: Definition, values: Mapping[str, object], *, strict: bool = True
) -> StrategyParams:
    """Return *values* as parameters of *definition*, with defaults for what is absent.

    Strictly, ``"10"`` is not a number; otherwise text is read as what the field needs. Raises
    InvalidParametersError, whose problems have the codes ``unknown_field``, ``required``,
    ``wrong_type``, ``out_of_range`` and ``inconsistent``.
    """
    try:
        return definition.params.model_validate(dict(values), strict=strict)
    except ValidationError as error:
        problems = [_problem(detail, definition) for detail in error.errors(include_url=False)]
        message = " ".join(problem.message for problem in problems)
        raise InvalidParametersError(message, problems=problems) from None


def params_from_text(definition: Definition, values: Mapping[str, str]) -> StrategyParams:
    """Return parameters from the text of a form or a command; errors as ``validate_params``."""
    stripped = {name: text.strip() for name, text in values.items()}
    return validate_params(definition, stripped, strict=False)


def signal_parameters_hash(params: StrategyParams) -> str:
    """Return the SHA-256 (hex) of the parameters that the signal depends on, names and values."""
    fields = type(params).model_fields
    chosen = {
        name: value
        for name, value in params.model_dump(mode="json").items()
        if _extra(fields[name].json_schema_extra).get("affects") == "signal"
    }
    return _sha256(json.dumps(chosen, sort_keys=True, separators=(",", ":")))


def code_fingerprint(definition: Definition) -> str:
    """Return the SHA-256 (hex) of the source of the strategy and of the indicators it may use."""
    modules = (definition.module, *_INDICATORS)
    return _sha256("\n".join(inspect.getsource(module) for module in modules))


def _problem(detail: ErrorDetails, definition: Definition) -> FieldProblem:
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == INCONSISTENT:
        return FieldProblem(str(context["field"]), "inconsistent", detail["msg"])
    field = ".".join(str(part) for part in detail["loc"])
    given = detail.get("input")
    if kind == "extra_forbidden":
        return FieldProblem(
            field, "unknown_field", f"{definition.name} has no parameter “{field}”."
        )
    if kind == "missing" or given == "":
        return FieldProblem(field, "required", f"{field} is required.")
    limits = {
        "greater_than_equal": ("ge", "at least"),
        "greater_than": ("gt", "more than"),
        "less_than_equal": ("le", "at most"),
        "less_than": ("lt", "less than"),
    }
    if kind in limits:
        key, words = limits[kind]
        message = f"{field} must be {words} {context[key]:g}, not {given}."
        return FieldProblem(field, "out_of_range", message)
    if kind in {"value_error", "assertion_error"}:
        return FieldProblem(field, "inconsistent", detail["msg"].removeprefix("Value error, "))
    return FieldProblem(field, "wrong_type", f"{field}: {detail['msg']}.")


def _extra(extra: object) -> Mapping[str, object]:
    return extra if isinstance(extra, Mapping) else {}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
