"""Points of a sweep as whole sets of parameters: which of them fit together, and which need most."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic import ValidationError

from backtesting.domain.searches import Point
from backtesting.domain.specification import Specification
from market.timeframes import Timeframe
from strategies import registry
from strategies.registry import Definition
from strategies.shapes import StrategyParams


@dataclass(frozen=True, slots=True)
class Combinations:
    """Turns values of the swept parameters ``names`` into parameters; ``fixed`` has the others."""

    definition: Definition
    timeframe: Timeframe
    names: tuple[str, ...]
    fixed: Mapping[str, object]
    capital: Decimal

    def params_of(self, point: Point) -> StrategyParams:
        """Return the whole parameters at *point*; raise ValidationError if they do not fit."""
        swept = dict(zip(self.names, point, strict=True))
        return self.definition.params.model_validate({**self.fixed, **swept}, strict=True)

    def is_possible(self, point: Point) -> bool:
        """Tell whether the values at *point* fit together, to the timeframe and to the capital."""
        try:
            params = self.params_of(point)
        except ValidationError:
            return False
        if self.definition.requirements(params).objection(self.timeframe):
            return False
        return not registry.capital_problems(self.definition, params, self.capital)

    def warm_up_bars(self, params: StrategyParams) -> int:
        """Return how many bars come before the first decision with *params*."""
        return self.definition.requirements(params).bars(self.timeframe)

    def deepest(self, points: Iterable[Point]) -> Point:
        """Return the first of the possible *points* that warms up longest; there is at least one."""
        return max(points, key=lambda point: self.warm_up_bars(self.params_of(point)))


def same_signals(specified: Sequence[Specification]) -> Sequence[tuple[Sequence[int], int]]:
    """Return the places of *specified* whose signals are the same, with how long these warm up.

    They differ in parameters alone. What a combination warms up for decides where its bars begin,
    and so its averages.
    """
    places: dict[tuple[str, int], list[int]] = {}
    for place, each in enumerate(specified):
        key = (registry.signal_parameters_hash(each.params), each.warm_up_bars)
        places.setdefault(key, []).append(place)
    return [(members, warm_up_bars) for (_, warm_up_bars), members in places.items()]
