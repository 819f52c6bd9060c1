"""Parameters one small step away from those of a run."""

from dataclasses import dataclass
from typing import Final

from strategies import parameters, registry
from strategies.parameters import ParameterInfo
from strategies.registry import Definition, InvalidParametersError
from strategies.shapes import StrategyParams

#: By how much a number is moved, both ways.
_PART: Final = 0.1
#: Enough for any step that a parameter declares, and too few for the noise of binary fractions.
_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class Neighbor:
    """One parameter moved: *change* in words, and the parameters, or the reason why there are none."""

    name: str
    title: str
    change: str
    params: StrategyParams | None
    reason: str = ""


def neighbors_of(definition: Definition, params: StrategyParams) -> tuple[Neighbor, ...]:
    """Return *params* with each number moved down and up by a tenth, and by a step at least.

    A number that is 0 stays: it switches something off, and any other value would switch it on.
    """
    found = []
    for info in parameters.describe(definition.json_schema()):
        value = getattr(params, info.name)
        if info.kind not in {"integer", "number"} or not value:
            continue
        found += [_moved(definition, params, info, value, sign) for sign in (-1, 1)]
    return tuple(found)


def _moved(
    definition: Definition, params: StrategyParams, info: ParameterInfo, value: float, sign: int
) -> Neighbor:
    moved = _clamped(info, value + sign * _distance(info, value))
    change = f"{value:g} to {moved:g}"
    if moved == value:
        end = "lowest" if sign < 0 else "highest"
        return Neighbor(info.name, info.title, f"{value:g}", None, f"It is at its {end} value.")
    number = int(moved) if info.kind == "integer" else moved
    values = {**params.model_dump(), info.name: number}
    try:
        return Neighbor(info.name, info.title, change, registry.validate_params(definition, values))
    except InvalidParametersError as error:
        return Neighbor(info.name, info.title, change, None, error.message)


def _distance(info: ParameterInfo, value: float) -> float:
    """Return a tenth of *value*, rounded to whole steps, one of them at least."""
    tenth = abs(value) * _PART
    step = 1.0 if info.kind == "integer" else info.step
    if not step:
        return tenth
    return max(round(tenth / step), 1) * step


def _clamped(info: ParameterInfo, value: float) -> float:
    rounded = round(value, _DIGITS)
    if info.minimum is not None:
        rounded = max(rounded, info.minimum)
    if info.maximum is not None:
        rounded = min(rounded, info.maximum)
    return rounded
