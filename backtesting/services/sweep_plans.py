"""A request for a sweep, checked as a whole: either all that is to be computed or all problems."""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from backtesting.domain import axes, objectives
from backtesting.domain.combinations import Combinations
from backtesting.domain.objectives import Objective
from backtesting.domain.searches import Method, Point, Space, random_points
from backtesting.domain.specification import Specification
from backtesting.services import specifications
from backtesting.services.specifications import InvalidRunError
from market.errors import FieldProblem, NotFoundError
from market.timeframes import Timeframe
from strategies import registry
from strategies.registry import Definition

DEFAULT_TRIALS: Final = 100
DEFAULT_OBJECTIVE: Final = next(iter(objectives.OBJECTIVES))
DEFAULT_SEED: Final = 1
MAXIMUM_SEED: Final = 2**31 - 1
MAXIMUM_LEAST_TRADES: Final = 1_000_000
#: Points of a grid, or random trials.
MAXIMUM_TRIALS: Final = 100_000
#: Each guided trial looks at all before it, so a thousand more take ever longer.
MAXIMUM_GUIDED_TRIALS: Final = 2_000
#: Trials times bars, which is what takes the time.
MAXIMUM_WORK_BARS: Final = 1_000_000_000
#: How many points of a space that is not looked through tell how long combinations warm up.
_SAMPLE: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepWish:
    """What somebody asks for, unchecked.

    ``space`` says for each swept parameter what it may be, as ``axes.read_space`` takes it, and
    ``parameters`` what the others are; market or universe, window and money are as for
    ``specifications.specify``. ``trials`` is not asked for a grid, and None is the default.
    """

    strategy_slug: str
    market: str = ""
    universe: str = ""
    timeframe: str
    from_at: datetime
    to_at: datetime
    space: Mapping[str, object]
    parameters: Mapping[str, object]
    method: str = Method.GRID.value
    objective: str = DEFAULT_OBJECTIVE
    trials: int | None = None
    least_trades: int = 0
    seed: int = DEFAULT_SEED
    capital: Decimal = specifications.DEFAULT_CAPITAL
    fee_bps: Decimal | None = None
    slippage_bps: Decimal = specifications.DEFAULT_SLIPPAGE_BPS
    funding_bps: Decimal = Decimal(0)
    parameters_are_text: bool = False


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """A sweep, fully said.

    ``specification`` has the combination that warms up longest. ``points`` are the trials in order,
    None if a guided search will choose them; ``trials_asked`` counts also those whose values do not
    fit together, ``trials_planned`` leaves them out.
    """

    specification: Specification
    space: Space
    method: Method
    objective: Objective
    least_trades: int
    seed: int
    trials_asked: int
    trials_planned: int
    points: Sequence[Point] | None

    def spec_hash(self) -> str:
        """Return the SHA-256 (hex) of all of it; equal hashes give equal trials."""
        said = {
            "specification": self.specification.spec_hash(),
            "space": [axis.to_json() for axis in self.space.axes],
            "method": self.method.value,
            "objective": self.objective.key,
            "least_trades": self.least_trades,
            "seed": self.seed,
            "trials": self.trials_asked,
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def plan_sweep(wish: SweepWish, *, now: datetime) -> SweepPlan:
    """Return the plan of a sweep, or raise InvalidRunError with all problems at once.

    Problems name the fields of ``specifications.specify``, and ``space.<name>``, ``space``,
    ``method``, ``objective``, ``trials``, ``least_trades`` and ``seed``.
    """
    problems: list[FieldProblem] = []
    asked = DEFAULT_TRIALS if wish.trials is None else wish.trials
    method, objective = _checked_choices(problems, wish, trials=asked)
    space, combinations = _read(problems, wish)
    found = None
    if method is not None and space is not None and combinations is not None:
        found = _points(problems, space, combinations, method, trials=asked, seed=wish.seed)
    deepest: Mapping[str, object] = {}
    if found is not None and space is not None:
        deepest = dict(zip(space.names, found.deepest, strict=True))
    specification = _specified(problems, wish, deepest, now=now)
    if specification is not None and found is not None:
        _check_work(problems, specification, found.planned)
    if (
        problems
        or specification is None
        or found is None
        or space is None
        or method is None
        or objective is None
    ):
        raise InvalidRunError(" ".join(each.message for each in problems), problems=problems)
    return SweepPlan(
        specification=specification,
        space=space,
        method=method,
        objective=objective,
        least_trades=wish.least_trades,
        seed=wish.seed,
        trials_asked=found.asked,
        trials_planned=found.planned,
        points=found.points,
    )


def _specified(
    problems: list[FieldProblem], wish: SweepWish, swept: Mapping[str, object], *, now: datetime
) -> Specification | None:
    """Return the specification with the *swept* values, or None after noting what is wrong."""
    try:
        return specifications.specify(
            strategy_slug=wish.strategy_slug,
            market=wish.market,
            universe=wish.universe,
            timeframe=wish.timeframe,
            from_at=wish.from_at,
            to_at=wish.to_at,
            parameters={**wish.parameters, **swept},
            capital=wish.capital,
            fee_bps=wish.fee_bps,
            slippage_bps=wish.slippage_bps,
            funding_bps=wish.funding_bps,
            parameters_are_text=wish.parameters_are_text,
            now=now,
        )
    except InvalidRunError as error:
        # Which values fit to which is a question of the combinations.
        problems += [each for each in error.problems if each.code != "inconsistent" or swept]
        return None


@dataclass(frozen=True, slots=True)
class _Found:
    asked: int
    planned: int
    points: Sequence[Point] | None
    deepest: Point


def _checked_choices(
    problems: list[FieldProblem], wish: SweepWish, *, trials: int
) -> tuple[Method | None, Objective | None]:
    """Return how to search and what to rank by; None for what makes no sense."""
    chosen = Method(wish.method) if wish.method in list(Method) else None
    if chosen is None:
        known = ", ".join(Method)
        problems.append(FieldProblem("method", "invalid_choice", f"The method is one of: {known}."))
    ranked_by = objectives.OBJECTIVES.get(wish.objective)
    if ranked_by is None:
        known = ", ".join(objectives.OBJECTIVES)
        text = f"The objective is one of: {known}."
        problems.append(FieldProblem("objective", "invalid_choice", text))
    if not 0 <= wish.least_trades <= MAXIMUM_LEAST_TRADES:
        text = f"The least number of trades is from 0 to {MAXIMUM_LEAST_TRADES:,}."
        problems.append(FieldProblem("least_trades", "out_of_range", text))
    if not 0 <= wish.seed <= MAXIMUM_SEED:
        text = f"The seed is from 0 to {MAXIMUM_SEED:,}."
        problems.append(FieldProblem("seed", "out_of_range", text))
    most = MAXIMUM_GUIDED_TRIALS if chosen is Method.GUIDED else MAXIMUM_TRIALS
    if chosen not in {None, Method.GRID}:
        if trials < 1:
            text = "Ask for at least 1 trial."
            problems.append(FieldProblem("trials", "out_of_range", text))
        elif trials > most:
            kind = "guided" if chosen is Method.GUIDED else "random"
            text = f"A {kind} search makes at most {most:,} trials, not {trials:,}."
            problems.append(FieldProblem("trials", "sweep_too_large", text))
    return (None if problems else chosen), ranked_by


def _read(
    problems: list[FieldProblem], wish: SweepWish
) -> tuple[Space | None, Combinations | None]:
    """Return the space and how to combine it; None for either if something is wrong with it.

    A strategy or a timeframe that there is not, and parameters that are wrong by themselves, are
    left to ``specify`` to tell.
    """
    try:
        definition = registry.get_definition(wish.strategy_slug)
    except NotFoundError:
        return None, None
    space, wrong = axes.read_space(definition, wish.space)
    problems += wrong
    for name in sorted(wish.space.keys() & wish.parameters.keys()):
        text = f"{name} is either swept or fixed, not both."
        problems.append(FieldProblem(f"space.{name}", "given_twice", text))
    fixed = _fixed(definition, wish.parameters, are_text=wish.parameters_are_text)
    frame = Timeframe(wish.timeframe) if wish.timeframe in list(Timeframe) else None
    if problems or space is None or fixed is None or frame is None:
        return None, None
    if not wish.capital.is_finite() or wish.capital <= 0:
        return None, None
    return space, Combinations(definition, frame, space.names, fixed, wish.capital)


def _fixed(
    definition: Definition, parameters: Mapping[str, object], *, are_text: bool
) -> dict[str, object] | None:
    """Return the typed values of *parameters*; None if one is wrong by itself."""
    typed: dict[str, object] = {}
    for name, value in parameters.items():
        said = str(value) if are_text else {"values": [value]}
        alone, problems = axes.read_space(definition, {name: said})
        if problems or alone is None or alone.size != 1:
            return None
        typed[name] = alone.axes[0].values[0]
    return typed


def _points(
    problems: list[FieldProblem],
    space: Space,
    combinations: Combinations,
    method: Method,
    *,
    trials: int,
    seed: int,
) -> _Found | None:
    """Return the points to try, or None after noting what is wrong with the space."""
    if method is Method.GRID and not _can_be_grid(problems, space):
        return None
    is_possible = combinations.is_possible
    points: Sequence[Point] | None
    looked_at: Sequence[Point]
    if method is Method.GRID:
        asked = space.size or 0
        points = [point for point in space.grid() if is_possible(point)]
        looked_at = points
    elif method is Method.RANDOM:
        asked = trials
        points = random_points(space, count=trials, seed=seed, is_possible=is_possible)
        looked_at = points
    else:
        asked = trials if space.size is None else min(trials, space.size)
        points = None
        source = random.Random(seed)  # noqa: S311  repeatable, nothing is kept secret with it
        sample = [*space.corners(), *(space.draw(source) for _ in range(_SAMPLE))]
        looked_at = [point for point in sample if is_possible(point)]
    if not looked_at:
        text = "No combination of these values fits together. Widen a range."
        problems.append(FieldProblem("space", "no_combination", text))
        return None
    planned = asked if points is None else len(points)
    return _Found(asked, planned, points, combinations.deepest(looked_at))


def _can_be_grid(problems: list[FieldProblem], space: Space) -> bool:
    """Tell whether the grid can be made, after noting why not."""
    for axis in space.axes:
        if axis.is_continuous:
            text = f"{axis.name} needs a step in a grid, such as {axis.low:g}:{axis.high:g}:0.5."
            problems.append(FieldProblem(f"space.{axis.name}", "step_required", text))
    if space.size is not None and space.size > MAXIMUM_TRIALS:
        text = (
            f"This grid has {space.size:,} combinations, at most {MAXIMUM_TRIALS:,} can be tried. "
            "Choose larger steps, or search by chance."
        )
        problems.append(FieldProblem("space", "sweep_too_large", text))
    return not problems


def _check_work(problems: list[FieldProblem], specification: Specification, trials: int) -> None:
    bars = specification.asked_bars
    if trials * bars > MAXIMUM_WORK_BARS:
        text = (
            f"{trials:,} trials over {bars:,} bars are {trials * bars:,} bars; at most "
            f"{MAXIMUM_WORK_BARS:,} can be computed in one sweep. Try fewer combinations, a "
            "shorter window or a longer timeframe."
        )
        problems.append(FieldProblem("space", "sweep_too_large", text))
