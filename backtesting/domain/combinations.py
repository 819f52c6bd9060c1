"""Points of a sweep as whole sets of parameters: which of them fit together, and which need most."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from backtesting.domain.searches import Point
from market.timeframes import Timeframe
from strategies.registry import Definition
from strategies.shapes import StrategyParams


@dataclass(frozen=True, slots=True)
class Combinations:
    """Turns values of the swept parameters ``names`` into parameters; ``fixed`` has the others."""

    definition: Definition
    timeframe: Timeframe
    names: tuple[str, ...]
    fixed: Mapping[str, object]

    def params_of(self, point: Point) -> StrategyParams:
        """Return the whole parameters at *point*; raise ValidationError if they do not fit."""
        swept = dict(zip(self.names, point, strict=True))
        return self.definition.params.model_validate({**self.fixed, **swept}, strict=True)

    def is_possible(self, point: Point) -> bool:
        """Tell whether the values at *point* fit together and to the timeframe."""
        try:
            params = self.params_of(point)
        except ValidationError:
            return False
        return not self.definition.requirements(params).objection(self.timeframe)

    def deepest(self, points: Iterable[Point]) -> Point:
        """Return the first of the possible *points* that warms up longest; there is at least one."""

        def warm_up(point: Point) -> int:
            return self.definition.requirements(self.params_of(point)).bars(self.timeframe)

        return max(points, key=warm_up)
