"""The trials of a sweep computed on the stored candles, for a worker's chunk or without any row."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.combinations import Combinations
from backtesting.domain.guided import GuidedSearch
from backtesting.domain.objectives import FIGURES, Objective
from backtesting.domain.searches import Point, Space
from backtesting.domain.specification import Specification
from backtesting.domain.sweep import Progress, evaluate
from backtesting.domain.trials import Trials
from backtesting.domain.universe_sweep import evaluate_universe
from backtesting.domain.windows import Window
from backtesting.selectors import specifications
from backtesting.services.sweep_plans import SweepPlan
from market.candles import Candles
from strategies.views import UniverseView

#: How many threads of a worker simulate: one for each processor that it may use.
_THREADS: Final = (
    len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
)

_NO_TRIALS: Final = np.empty(0, dtype=np.int64)


class Computation:
    """Evaluates combinations of one specification; the candles are read once.

    *progress* is told how many trials are done, *should_stop* is asked whether to raise
    SimulationStopped.
    """

    def __init__(
        self,
        specification: Specification,
        combinations: Combinations,
        *,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self._specification, self._combinations = specification, combinations
        self._progress, self._should_stop = progress, should_stop
        self._warm_up_bars = specification.warm_up_bars
        self._bars = _read(specification)
        self._detail = specifications.detail_of(specification)

    def evaluate(self, points: Sequence[Point], *, first_trial: int) -> Trials:
        """Return the trials at *points*, numbered from *first_trial* on."""
        figures = self._figures(points, done_before=0)
        return self._numbered(points, figures, first_trial)

    def search(
        self,
        space: Space,
        before: Trials,
        *,
        seed: int,
        objective: Objective,
        least_trades: int,
        count: int,
        first_trial: int,
    ) -> Trials:
        """Choose and evaluate *count* trials one after the other, given those *before*.

        There are fewer if no other combination is left.
        """
        search = GuidedSearch(space, seed=seed, is_possible=self._combinations.is_possible)
        scores = objective.scores(before.figures, least_trades=least_trades).tolist()
        for point, score in zip(before.points, scores, strict=True):
            search.tell(point, score=score)
        points: list[Point] = []
        rows = [np.empty((0, len(FIGURES)))]
        while len(points) < count:
            chosen = search.next_point()
            if chosen is None:
                break
            row = self._figures([chosen], done_before=len(points))
            search.tell(chosen, score=float(objective.scores(row, least_trades=least_trades)[0]))
            points.append(chosen)
            rows.append(row)
        return self._numbered(points, np.concatenate(rows), first_trial)

    def _figures(self, points: Sequence[Point], *, done_before: int) -> NDArray[np.float64]:
        tell = self._progress
        params = [self._combinations.params_of(point) for point in points]
        needed = max(self._combinations.warm_up_bars(each) for each in params)
        bars = self._history(needed)
        progress = None if tell is None else lambda done: tell(done_before + done)
        if isinstance(bars, UniverseView):
            return evaluate_universe(
                self._specification,
                params,
                bars,
                progress=progress,
                should_stop=self._should_stop,
            )
        return evaluate(
            self._specification,
            params,
            bars,
            detail=self._detail,
            threads=min(_THREADS, len(params)),
            progress=progress,
            should_stop=self._should_stop,
        )

    def _history(self, warm_up_bars: int) -> Candles | UniverseView:
        """Return the bars; more are read if one warms up for longer than the plan foresaw."""
        if warm_up_bars > self._warm_up_bars:
            window = self._specification.window
            deeper = Window.with_warm_up(
                window.timeframe, window.from_ms, window.to_ms, warm_up_bars=warm_up_bars
            )
            self._bars = _read(replace(self._specification, window=deeper))
            self._warm_up_bars = warm_up_bars
        return self._bars

    def _numbered(
        self, points: Sequence[Point], figures: NDArray[np.float64], first_trial: int
    ) -> Trials:
        numbers = np.arange(first_trial, first_trial + len(points), dtype=np.int64)
        return Trials(self._combinations.names, numbers, points, figures)


def _read(specification: Specification) -> Candles | UniverseView:
    if specification.universe:
        return specifications.universe_of(specification)
    return specifications.candles_of(specification)


def try_out(plan: SweepPlan, *, progress: Progress | None = None) -> Trials:
    """Compute all trials of *plan* here and now; nothing is written."""
    specification = plan.specification
    names = plan.space.names
    chosen = specification.params.model_dump(mode="json")
    combinations = Combinations(
        specification.definition,
        specification.timeframe,
        names,
        {name: value for name, value in chosen.items() if name not in names},
        specification.capital,
    )
    computation = Computation(specification, combinations, progress=progress)
    if plan.points is not None:
        return computation.evaluate(plan.points, first_trial=1)
    nothing = Trials(names, _NO_TRIALS, [], np.empty((0, len(FIGURES))))
    return computation.search(
        plan.space,
        nothing,
        seed=plan.seed,
        objective=plan.objective,
        least_trades=plan.least_trades,
        count=plan.trials_planned,
        first_trial=1,
    )
