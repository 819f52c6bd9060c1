"""Where a sweep looks: the values that each swept parameter may take, and points among them."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

#: A value of a parameter.
Value = int | float | bool | str
#: One value for each swept parameter, in the order of the axes.
Point = tuple[Value, ...]

#: Values without a step are given to so many significant digits: nobody means more.
_DIGITS: Final = 6
#: A discrete space of at most so many points is looked through; a larger one is drawn from.
_LOOKED_THROUGH: Final = 200_000
#: So many draws without anything new, for each point that is wanted, and the space counts as empty.
_FRUITLESS_DRAWS: Final = 200
_CORNERS: Final = 4_096


class Method(StrEnum):
    """How points are chosen."""

    GRID = "GRID"
    RANDOM = "RANDOM"
    GUIDED = "GUIDED"


@dataclass(frozen=True, slots=True)
class Axis:
    """The values of one parameter: those in ``values``, or, without any, all from low to high."""

    name: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def is_continuous(self) -> bool:
        """Whether it has no steps."""
        return not self.values

    def draw(self, source: random.Random) -> Value:
        """Return a value, each as likely as any other."""
        if self.values:
            return self.values[source.randrange(len(self.values))]
        return rounded(source.uniform(self.low, self.high), self.low, self.high)

    def to_json(self) -> dict[str, object]:
        """Return it as ``from_json`` reads it."""
        if self.values:
            return {"name": self.name, "values": list(self.values)}
        return {"name": self.name, "low": self.low, "high": self.high}

    @classmethod
    def from_json(cls, said: Mapping[str, object]) -> "Axis":
        """Return what ``to_json`` wrote."""
        name, values = str(said["name"]), said.get("values")
        if isinstance(values, list):
            return cls(name, values=tuple(values))
        return cls(name, low=_number(said["low"]), high=_number(said["high"]))


@dataclass(frozen=True, slots=True)
class Space:
    """All axes of a sweep; their product is what may be tried."""

    axes: tuple[Axis, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The swept parameters."""
        return tuple(axis.name for axis in self.axes)

    @property
    def size(self) -> int | None:
        """How many points there are; None if an axis has no steps."""
        if any(axis.is_continuous for axis in self.axes):
            return None
        return math.prod(len(axis.values) for axis in self.axes)

    def point(self, number: int) -> Point:
        """Return the point of a discrete space at *number*, the last axis counting fastest."""
        found: list[Value] = []
        for axis in reversed(self.axes):
            number, index = divmod(number, len(axis.values))
            found.append(axis.values[index])
        return tuple(reversed(found))

    def grid(self) -> Iterator[Point]:
        """Yield every point of a discrete space once."""
        return (self.point(number) for number in range(self.size or 0))

    def draw(self, source: random.Random) -> Point:
        """Return any point, each as likely as any other."""
        return tuple(axis.draw(source) for axis in self.axes)

    def corners(self) -> Iterator[Point]:
        """Yield the points at the ends of every axis, but no more than some thousands of them."""
        ends = Space(tuple(Axis(axis.name, values=_ends(axis)) for axis in self.axes))
        return islice(ends.grid(), _CORNERS)


def random_points(
    space: Space, *, count: int, seed: int, is_possible: Callable[[Point], bool]
) -> Sequence[Point]:
    """Return *count* different points of *space* that are possible, or all if there are fewer.

    The same *seed* gives the same points.
    """
    source = random.Random(seed)  # noqa: S311  repeatable, nothing is kept secret with it
    if space.size is not None and space.size <= _LOOKED_THROUGH:
        shuffled = (space.point(number) for number in source.sample(range(space.size), space.size))
        found: list[Point] = []
        for point in shuffled:
            if len(found) == count:
                break
            if is_possible(point):
                found.append(point)
        return found
    chosen: dict[Point, None] = {}
    for _ in range(count):
        drawn = next_draw(space, source, is_possible=is_possible, taken=chosen)
        if drawn is None:
            break
        chosen[drawn] = None
    return list(chosen)


def next_draw(
    space: Space,
    source: random.Random,
    *,
    is_possible: Callable[[Point], bool],
    taken: Mapping[Point, object],
) -> Point | None:
    """Return a possible point that is not *taken*; None if many draws have found none."""
    for _ in range(_FRUITLESS_DRAWS):
        point = space.draw(source)
        if point not in taken and is_possible(point):
            return point
    return None


def rounded(value: float, low: float, high: float) -> float:
    """Return *value* to a few significant digits, within its bounds."""
    return min(max(float(f"{value:.{_DIGITS}g}"), low), high)


def _ends(axis: Axis) -> tuple[Value, ...]:
    if axis.is_continuous:
        return (axis.low, axis.high)
    numbers = [value for value in axis.values if not isinstance(value, str | bool)]
    if len(numbers) < len(axis.values):
        return axis.values
    return tuple(dict.fromkeys((min(numbers), max(numbers))))


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number.")
    return float(value)
