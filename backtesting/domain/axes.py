"""What a person says about each parameter of a sweep, read as the values that it may take.

Written as text: ``5, 10, 20`` is a list, ``5:15:5`` a range with its step, ``5:15`` an interval
with the strategy's own step, or without any, and ``10`` one value. As JSON the same is
``{"values": [5, 10, 20]}``, ``{"from": 5, "to": 15, "step": 5}`` and ``{"from": 5, "to": 15}``.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from backtesting.domain.searches import Axis, Space, Value
from market import money
from market.errors import FieldProblem
from strategies import parameters, registry
from strategies.parameters import ParameterInfo
from strategies.registry import Definition

#: No parameter may take more values than this.
MAXIMUM_VALUES: Final = 20_000
#: Kinds of parameters that have ranges.
_ORDERED: Final = frozenset({"integer", "number"})
_TRUTHS: Final[Mapping[str, bool]] = {"true": True, "yes": True, "false": False, "no": False}


class _Unreadable(Exception):
    """What is said about one parameter makes no sense: a code and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def read_space(
    definition: Definition, said: Mapping[str, object]
) -> tuple[Space | None, Sequence[FieldProblem]]:
    """Return the space that *said* spans, in the order of the strategy's parameters, or problems.

    Problems name the fields ``space.<parameter>`` and have the codes ``unknown_field``,
    ``wrong_type``, ``out_of_range``, ``range_inverted``, ``invalid_step``, ``duplicate_value``,
    ``too_many_values`` and ``required``.
    """
    known = {info.name: info for info in parameters.describe(definition.json_schema())}
    problems: list[FieldProblem] = []
    for name in said:
        if name not in known:
            text = f"{definition.name} has no parameter “{name[:60]}”."
            problems.append(FieldProblem(f"space.{name[:60]}", "unknown_field", text))
    axes = []
    for info in known.values():
        if info.name in said:
            try:
                axes.append(_axis(definition, info, said[info.name]))
            except _Unreadable as error:
                field = f"space.{info.name}"
                problems.append(FieldProblem(field, error.code, error.message))
    if not said:
        text = "Give at least one parameter several values, such as 5:15:5."
        problems.append(FieldProblem("space", "required", text))
    return (None if problems else Space(tuple(axes))), problems


def is_one_value(info: ParameterInfo, text: str) -> bool:
    """Tell whether *text* says one value, so that there is nothing to sweep.

    Only numbers have ranges: ``13:30`` is a time of the day.
    """
    return "," not in text and not (":" in text and info.kind in _ORDERED)


def _axis(definition: Definition, info: ParameterInfo, said: object) -> Axis:
    asked = _from_text(info, said) if isinstance(said, str) else said
    if not isinstance(asked, Mapping) or not (
        set(asked) == {"values"} or {"from", "to"} <= set(asked) <= {"from", "to", "step"}
    ):
        raise _Unreadable(
            "wrong_type",
            f"{info.name}: give “values”, or “from” and “to” and, if you like, “step”.",
        )
    axis = _listed(info, asked["values"]) if "values" in asked else _ranged(info, asked)
    values = axis.values or (axis.low, axis.high)
    # A range lies within its ends, so those are enough to look at.
    is_range = "values" not in asked
    for value in (values[0], values[-1]) if is_range else values:
        _check_value(definition, info, value)
    return axis


def _from_text(info: ParameterInfo, text: str) -> Mapping[str, object]:
    if ":" in text and info.kind in _ORDERED:
        parts = [_typed(info, part) for part in text.split(":")]
        if len(parts) > 3:
            raise _Unreadable("wrong_type", f"{info.name}: write from:to or from:to:step.")
        return dict(zip(("from", "to", "step"), parts, strict=False))
    return {"values": [_typed(info, part) for part in text.split(",")]}


def _typed(info: ParameterInfo, text: str) -> Value:
    """Return *text* as a value of the parameter's kind."""
    text = text.strip()
    if not text:
        raise _Unreadable("required", f"{info.name}: a value is missing.")
    if info.kind in {"choice", "text"}:
        return text
    if info.kind == "boolean":
        if text.lower() not in _TRUTHS:
            raise _Unreadable("wrong_type", f"{info.name}: write true or false, not “{text[:40]}”.")
        return _TRUTHS[text.lower()]
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _Unreadable("wrong_type", f"{info.name}: “{text[:40]}” is no number.") from None
    return _number(info, number)


def _number(info: ParameterInfo, number: Decimal) -> int | float:
    if not number.is_finite() or abs(number) > 10**15:
        raise _Unreadable("out_of_range", f"{info.name}: {number:.6g} is no value.")
    if info.kind != "integer":
        return money.float_of(number)
    if number != number.to_integral_value():
        raise _Unreadable("wrong_type", f"{info.name} takes whole numbers, not {number:f}.")
    return int(number)


def _listed(info: ParameterInfo, values: object) -> Axis:
    if not isinstance(values, list) or not values:
        raise _Unreadable("wrong_type", f"{info.name}: “values” is a list of at least one value.")
    if len(values) > MAXIMUM_VALUES:
        raise _too_many(info, len(values))
    found: list[Value] = []
    for value in values:
        if not isinstance(value, int | float | str):
            raise _Unreadable("wrong_type", f"{info.name}: a value is a number, a text or a truth.")
        is_number = not isinstance(value, str | bool) and info.kind in _ORDERED
        found.append(_number(info, _decimal(info, value)) if is_number else value)
    if len(set(found)) < len(found):
        raise _Unreadable("duplicate_value", f"{info.name}: a value is given twice.")
    if all(isinstance(value, str) for value in found):
        return Axis(info.name, values=tuple(found))
    return Axis(info.name, values=tuple(sorted(found, key=_as_float)))


def _ranged(info: ParameterInfo, asked: Mapping[str, object]) -> Axis:
    if info.kind not in _ORDERED:
        raise _Unreadable("wrong_type", f"{info.name} has no order: list its values instead.")
    low, high = (_decimal(info, asked[end]) for end in ("from", "to"))
    for end in (low, high):
        _number(info, end)
    if low > high:
        raise _Unreadable("range_inverted", f"{info.name}: the range begins above its end.")
    step = _step(info, asked.get("step"))
    if step is None:
        if low == high:
            return Axis(info.name, values=(money.float_of(low),))
        return Axis(info.name, low=money.float_of(low), high=money.float_of(high))
    count = int((high - low) / step) + 1
    if count > MAXIMUM_VALUES:
        raise _too_many(info, count)
    # In decimals, so that 0.1 and 0.2 make 0.3.
    return Axis(info.name, tuple(_number(info, low + step * index) for index in range(count)))


def _step(info: ParameterInfo, said: object) -> Decimal | None:
    """Return the step that is asked for, or the strategy's own; None if there is none."""
    if said is None:
        own = info.step if info.step is not None else (1 if info.kind == "integer" else None)
        return None if own is None else Decimal(str(own))
    step = _decimal(info, said)
    if not step > 0 or (info.kind == "integer" and step != step.to_integral_value()):
        words = "a whole number above 0" if info.kind == "integer" else "more than 0"
        raise _Unreadable("invalid_step", f"{info.name}: the step must be {words}.")
    return step


def _decimal(info: ParameterInfo, value: object) -> Decimal:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(_as_float(value)):
        raise _Unreadable("wrong_type", f"{info.name}: “{str(value)[:40]}” is no number.")
    return Decimal(str(value))


def _as_float(value: object) -> float:
    try:
        return float(str(value)) if not isinstance(value, bool | str) else float(bool(value))
    except (OverflowError, ValueError):
        return math.inf


def _check_value(definition: Definition, info: ParameterInfo, value: Value) -> None:
    """Raise if the strategy does not take *value*, whatever the other parameters are."""
    try:
        registry.validate_params(definition, {info.name: value})
    except registry.InvalidParametersError as error:
        for problem in error.problems:
            if problem.field == info.name and problem.code != "inconsistent":
                raise _Unreadable(problem.code, problem.message) from None


def _too_many(info: ParameterInfo, count: int) -> _Unreadable:
    return _Unreadable(
        "too_many_values",
        f"{info.name} would take {count:,} values, at most {MAXIMUM_VALUES:,} are possible. "
        "Choose a larger step.",
    )
