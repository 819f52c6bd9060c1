"""Points chosen by what earlier ones came to: Optuna's tree-structured Parzen estimator.

Nothing but the trials that were stored is remembered, so that any worker can go on where another
one ended: the same seed and the same trials give the same next point.
"""

import hashlib
import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from backtesting.domain.searches import Axis, Point, Space, Value, next_draw, rounded

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

#: So many points come from chance before there is anything to learn from.
_FIRST_BY_CHANCE: Final = 10
#: So often a point that is impossible or was tried is answered by asking again.
_ASKED_AGAIN: Final = 20


class GuidedSearch:
    """Chooses the next point of a space from the scores of those before it.

    Notes
    -----
    Bergstra, Bardenet, Bengio & Kégl (2011), "Algorithms for Hyper-Parameter Optimization". Points
    that break a condition are told as constraints, Optuna's way since its version 5.
    """

    def __init__(self, space: Space, *, seed: int, is_possible: Callable[[Point], bool]) -> None:
        import optuna  # noqa: PLC0415  takes a third of a second, and only workers need it

        # It reports each study to its own logger, which nobody reads.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._seed, self._is_possible = space, seed, is_possible
        self._study: optuna.Study = optuna.create_study(direction="maximize")
        self._distributions = {axis.name: _distribution(axis) for axis in space.axes}
        self._told: dict[Point, None] = {}

    def tell(self, point: Point, *, score: float) -> None:
        """Learn what *point* scored, more is better; NaN is a point that broke a condition."""
        import optuna  # noqa: PLC0415

        is_ranked = not math.isnan(score)
        self._study.add_trial(
            optuna.trial.create_trial(
                params={
                    axis.name: _asked(axis, value)
                    for axis, value in zip(self._space.axes, point, strict=True)
                },
                distributions=self._distributions,
                value=score if is_ranked else 0.0,
                constraints={"ranked": 0.0 if is_ranked else 1.0},
            )
        )
        self._told[point] = None

    def next_point(self) -> Point | None:
        """Return a possible point that was not told yet; None if none can be found any more."""
        for attempt in range(_ASKED_AGAIN):
            point = self._ask(attempt)
            if point not in self._told and self._is_possible(point):
                return point
        source = random.Random(self._seed_of(_ASKED_AGAIN))  # noqa: S311  repeatable, not secret
        return next_draw(self._space, source, is_possible=self._is_possible, taken=self._told)

    def _ask(self, attempt: int) -> Point:
        import optuna  # noqa: PLC0415

        # A sampler of its own for each question, so that an answer depends on nothing but the
        # trials, their number and the seed.
        self._study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=_FIRST_BY_CHANCE, seed=self._seed_of(attempt)
        )
        trial = self._study.ask(self._distributions)
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return tuple(_value(axis, trial.params[axis.name]) for axis in self._space.axes)

    def _seed_of(self, attempt: int) -> int:
        text = f"{self._seed}/{len(self._told)}/{attempt}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def _distribution(axis: Axis) -> "BaseDistribution":
    from optuna import distributions  # noqa: PLC0415

    if axis.is_continuous:
        return distributions.FloatDistribution(axis.low, axis.high)
    if _is_ordered(axis):
        return distributions.IntDistribution(0, len(axis.values) - 1)
    return distributions.CategoricalDistribution(list(range(len(axis.values))))


def _is_ordered(axis: Axis) -> bool:
    return not any(isinstance(value, str | bool) for value in axis.values)


def _asked(axis: Axis, value: Value) -> Any:
    """Return *value* as Optuna knows it: steps by their number, so that it sees even ones."""
    return value if axis.is_continuous else axis.values.index(value)


def _value(axis: Axis, answer: Any) -> Value:
    if axis.is_continuous:
        return rounded(answer, axis.low, axis.high)
    index: int = answer
    return axis.values[index]
