"""The catalogue as pages show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from strategies import parameters, registry
from strategies.models import Strategy, StrategyVersion


@dataclass(frozen=True, slots=True)
class StrategyCard:
    """One strategy in the list."""

    slug: str
    name: str
    summary: str
    category: str
    risk: str


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One parameter in the table."""

    name: str
    title: str
    help: str
    default: Any  # of whatever type the parameter is
    bounds: str
    unit: str
    affects_signal: bool


@dataclass(frozen=True, slots=True)
class StrategyPage:
    """Everything on the page of one strategy."""

    card: StrategyCard
    description: str
    version: int
    code_fingerprint: str
    warm_up_bars: int
    suggested_timeframe: str
    parameters: Sequence[ParameterRow]


def present_list(strategies: Sequence[Strategy]) -> Sequence[StrategyCard]:
    """Return a card for each of *strategies*."""
    return [_card(strategy) for strategy in strategies]


def present_strategy(version: StrategyVersion) -> StrategyPage:
    """Return the page of a strategy in its newest version."""
    definition = registry.get_definition(version.strategy.slug)
    requirements = definition.requirements(definition.default_params())
    return StrategyPage(
        card=_card(version.strategy),
        description=version.strategy.description,
        version=version.number,
        code_fingerprint=version.code_fingerprint,
        warm_up_bars=requirements.warm_up_bars,
        suggested_timeframe=version.strategy.suggested_timeframe,
        parameters=[
            ParameterRow(
                name=info.name,
                title=info.title,
                help=info.help,
                default=info.default,
                bounds=info.bounds,
                unit=info.unit,
                affects_signal=info.affects_signal,
            )
            for info in parameters.describe(version.parameters_schema)
        ],
    )


def _card(strategy: Strategy) -> StrategyCard:
    return StrategyCard(
        slug=strategy.slug,
        name=strategy.name,
        summary=strategy.summary,
        category=_words(strategy.category),
        risk=_words(strategy.risk),
    )


def _words(code: str) -> str:
    return code.replace("_", " ").capitalize()
