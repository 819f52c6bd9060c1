"""Which strategies exist, and how parameters from outside become parameters of one.

Ours are listed here; other packages add theirs through the entry-point group
``trading_platform.strategies``, each entry naming a module of the same shape as those in
``strategies.definitions``. Nothing is ever loaded from a path in a database. An entry that cannot
be used is left out and told of by ``broken_entries``; it takes nothing else down.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from market import money
from market.enums import InstrumentKind
from market.errors import FieldProblem, InvalidInputError, NotFoundError, PlatformError
from market.timeframes import Timeframe
from strategies import guards, sources
from strategies.definitions import (
    cpr_daily,
    dca_ladder,
    ema_crossover,
    kernel_envelope,
    macd_mtf_forecast,
    opening_range,
    orphan_bands,
    premarket_breakout,
    rsi_divergence,
    top_movers_macd,
)
from strategies.rules import Rules
from strategies.shapes import INCONSISTENT, Category, Overlay, Requirements, Risk, StrategyParams
from strategies.signals import Signals

ENTRY_POINT_GROUP: Final = "trading_platform.strategies"

_OURS: Final[Sequence[ModuleType]] = (
    cpr_daily,
    dca_ladder,
    ema_crossover,
    kernel_envelope,
    macd_mtf_forecast,
    opening_range,
    orphan_bands,
    premarket_breakout,
    rsi_divergence,
    top_movers_macd,
)
_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: How long the texts of a definition may be: what the catalogue has room for.
_LONGEST: Final = {"SLUG": 60, "NAME": 100, "SUMMARY": 300, "VERSION": 20}

logger = logging.getLogger(__name__)


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

    The functions take the strategy's own ``params`` type, and a ``MarketView`` or, if it looks at a
    universe, a ``UniverseView``, which this table cannot express. They raise StrategyFailedError
    where the strategy's own code raises (see ``strategies.guards``). ``least_capital`` is what its
    orders may cost together, in quote; 0 unless the module says otherwise. ``cautions`` are sentences
    to read before a result with these parameters; none unless the module has some. ``timeframe`` and
    ``market`` are what it is meant for, TIMEFRAME and MARKET of its module: an hour and SPOT, which
    is any market, if it has none. ``package`` is the name and version of the installed package it
    is from, empty for ours. ``says_of_many`` is there where the module has a faster way to what
    many parameters say over the same bars: see ``guards.guarded_says``.
    """

    slug: str
    name: str
    category: Category
    risk: Risk
    summary: str
    version: str
    params: type[StrategyParams]
    requirements: Callable[[Any], Requirements]
    signals: Callable[[Any, Any], Signals]
    rules: Callable[[Any], Rules]
    overlays: Callable[[Any, Any], Sequence[Overlay]]
    least_capital: Callable[[Any], float]
    cautions: Callable[[Any], tuple[str, ...]]
    module: ModuleType
    timeframe: Timeframe = Timeframe.H1
    market: InstrumentKind = InstrumentKind.SPOT
    package: str = ""
    says_of_many: Callable[[Any, Sequence[Any]], NDArray[np.uint8]] | None = None

    def default_params(self) -> StrategyParams:
        """Return the parameters with every default."""
        return self.params()

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the parameters, with the unit of each and what it affects."""
        return self.params.model_json_schema()


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """An entry of an installed package that cannot be used, and why, in a sentence."""

    name: str
    package: str
    reason: str


def definition_of(module: ModuleType, *, package: str = "") -> Definition:
    """Return the definition that *module* holds; raise ValueError if it is not one.

    With its defaults it has to say what it needs and which rules it has; signals show when it runs.
    """
    try:
        found = _read(module, package)
    except (AttributeError, TypeError, ValueError) as error:
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


def all_definitions() -> tuple[Definition, ...]:
    """Return every strategy that can be used, by slug."""
    return _found().definitions


def broken_entries() -> tuple[BrokenEntry, ...]:
    """Return the entries of installed packages that cannot be used, in the order of their names."""
    return _found().broken


def forget() -> None:
    """Look again at what is installed at the next question."""
    _found.cache_clear()


@dataclass(frozen=True, slots=True)
class _Found:
    definitions: tuple[Definition, ...]
    broken: tuple[BrokenEntry, ...]


@cache
def _found() -> _Found:
    by_slug = {each.slug: each for each in map(definition_of, _OURS)}
    if len(by_slug) < len(_OURS):
        raise ValueError("Two strategies of ours have the same slug.")
    broken = []
    entries = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)
    for entry in entries:
        package = _package_of(entry)
        try:
            found = _from_entry(entry, package)
            if found.slug in by_slug:
                other = by_slug[found.slug]
                raise ValueError(f"The slug {found.slug!r} is taken by {other.module.__name__}.")  # noqa: TRY301  reported like any other
        # The outermost frame of a stranger's code: even an exit at its import ends nothing here.
        except (Exception, SystemExit) as error:
            logger.exception("strategies.entry_broken", extra={"entry": entry.name})
            broken.append(BrokenEntry(entry.name, package, _reason(error)))
        else:
            by_slug[found.slug] = found
    definitions = sorted(by_slug.values(), key=lambda each: each.slug)
    return _Found(tuple(definitions), tuple(broken))


def _from_entry(entry: EntryPoint, package: str) -> Definition:
    """Return the usable definition that *entry* names; raise whatever is wrong with it."""
    module = entry.load()
    if not isinstance(module, ModuleType):
        raise TypeError(f"{entry.value} is no module.")
    found = definition_of(module, package=package)
    # What every page, hash and release needs of it is tried out here, once.
    found.requirements(found.default_params())
    found.rules(found.default_params())
    json.dumps(found.json_schema(), allow_nan=False)
    code_fingerprint(found)
    return found


def _read(module: ModuleType, package: str) -> Definition:
    for attribute, longest in _LONGEST.items():
        text = getattr(module, attribute)
        if not isinstance(text, str) or not 0 < len(text) <= longest:
            raise ValueError(f"{attribute} has to be a text of at most {longest} characters")
    if not (isinstance(module.Params, type) and issubclass(module.Params, StrategyParams)):
        raise TypeError("Params is no StrategyParams")
    name = str(module.NAME)
    home = module.__name__.rpartition(".")[0] or module.__name__
    many = getattr(module, "says_of_many", None)
    return Definition(
        slug=module.SLUG,
        name=name,
        category=Category(module.CATEGORY),
        risk=Risk(module.RISK),
        summary=module.SUMMARY,
        version=module.VERSION,
        params=module.Params,
        requirements=guards.guarded(
            name, "requirements", Requirements, module.requirements, package=home
        ),
        signals=guards.guarded_signals(name, module.signals, package=home),
        rules=guards.guarded(name, "rules", Rules, module.rules, package=home),
        overlays=guards.guarded_overlays(name, module.overlays, package=home),
        least_capital=guards.guarded(
            name,
            "least capital",
            float,
            getattr(module, "least_capital", _any_capital),
            package=home,
        ),
        cautions=guards.guarded(
            name, "cautions", tuple, getattr(module, "cautions", _nothing), package=home
        ),
        module=module,
        timeframe=Timeframe(getattr(module, "TIMEFRAME", Timeframe.H1)),
        market=InstrumentKind(getattr(module, "MARKET", InstrumentKind.SPOT)),
        package=package,
        says_of_many=None if many is None else guards.guarded_says(name, many, package=home),
    )


def _package_of(entry: EntryPoint) -> str:
    distribution = entry.dist
    return f"{distribution.name} {distribution.version}" if distribution is not None else ""


def _reason(error: BaseException) -> str:
    message = error.message if isinstance(error, PlatformError) else str(error)
    return (
        message
        if isinstance(error, PlatformError | ValueError)
        else f"{type(error).__name__}: {message}"
    )


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


def capital_problems(
    definition: Definition, params: StrategyParams, capital: Decimal
) -> Sequence[FieldProblem]:
    """Return what is wrong with *capital*: that all of the strategy's orders may cost more."""
    least = money.quantize_money(money.decimal_of(definition.least_capital(params)))
    if capital >= least:
        return ()
    text = f"{definition.name} may buy for {least.normalize():f} together with these parameters."
    return (FieldProblem("capital", "below_least_capital", text),)


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
    """Return the SHA-256 (hex) of the source of the strategy and of the indicators it may use.

    An installed package counts with its version: it may hold more modules than the one that is named.
    """
    return sources.fingerprint(definition.module, release=definition.package)


def _any_capital(_params: StrategyParams) -> float:
    return 0.0


def _nothing(_params: StrategyParams) -> tuple[str, ...]:
    return ()


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
