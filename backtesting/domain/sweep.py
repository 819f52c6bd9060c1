"""Many combinations of parameters over the same bars, and what is kept of each."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.funding import funding_of
from backtesting.domain.objectives import FIGURES
from backtesting.domain.specification import Specification
from backtesting.domain.windows import stretch_bounds
from backtesting.engine import SimulationStopped
from backtesting.engine.tallies import tally
from backtesting.metrics.periods import period_ends, periods_per_year
from backtesting.metrics.tallied import tallied_metrics
from market import money
from market.candles import Candles
from market.costs import Costs
from market.errors import PlatformError
from strategies import registry
from strategies.rules import Rules
from strategies.shapes import StrategyParams
from strategies.signals import Signals
from strategies.views import MarketView

#: Told how many combinations are done.
Progress = Callable[[int], None]

#: A combination that cannot be run on these bars, such as one that warms up for longer than they are.
_NOTHING: Final = np.nan

#: How much is computed at once: a few milliseconds, in combinations and in bars of all of them.
_BATCH_RUNS: Final = 64
_BATCH_BARS: Final = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """What all combinations over the same stretch of bars have in common."""

    specification: Specification
    candles: Candles
    detail: Candles | None
    costs: Costs
    funding: NDArray[np.float64] | None
    ends: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Member:
    """One combination: its place among all, its parameters, the bars that it warms up for."""

    place: int
    params: StrategyParams
    warm_up_bars: int


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Combinations that are computed together, with the same signals or a row of bits for each."""

    ground: _Ground
    members: Sequence[_Member]
    said: Signals | NDArray[np.uint8]
    rules: Sequence[Rules]

    @property
    def places(self) -> list[int]:
        """Where their figures belong."""
        return [member.place for member in self.members]


def evaluate(
    specification: Specification,
    combinations: Sequence[StrategyParams],
    candles: Candles,
    *,
    detail: Candles | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> NDArray[np.float64]:
    """Return the figures of each combination, shape ``(len(combinations), len(FIGURES))``.

    Each row is what a backtest of *specification* with those parameters gives, to the last bit. A
    figure is NaN where it is undefined; a whole row is if the bars are too few for the combination.

    Parameters
    ----------
    specification
        Everything but the parameters, which are taken from *combinations*.
    candles
        The window with the longest warm-up of all combinations in front of it, as far as stored.
    detail
        The minutes inside the bars, as a backtest takes them.
    threads
        How many of them simulate; the strategy itself is only ever called by the caller's.
    progress, should_stop
        Called every few milliseconds; SimulationStopped is raised when the latter says so.
    """
    figures = np.full((len(combinations), len(FIGURES)), _NOTHING)
    done = 0

    def tell() -> None:
        if should_stop is not None and should_stop():
            raise SimulationStopped
        if progress is not None:
            progress(done)

    def batches() -> Iterator[_Batch]:
        for batch in _batches(specification, combinations, candles, detail):
            # What the strategy said may have taken long.
            tell()
            yield batch

    for places, rows in _simulated(batches(), threads):
        figures[places] = rows
        done += len(places)
        tell()
    return figures


def _simulated(
    batches: Iterable[_Batch], threads: int
) -> Iterator[tuple[list[int], NDArray[np.float64]]]:
    """Yield the places and the figures of each of *batches*, in their order."""
    if threads == 1:
        for batch in batches:
            yield batch.places, _figures_of(batch)
        return
    waiting: deque[tuple[list[int], Future[NDArray[np.float64]]]] = deque()
    with ThreadPoolExecutor(threads) as crew:
        try:
            for batch in batches:
                waiting.append((batch.places, crew.submit(_figures_of, batch)))
                if len(waiting) > 2 * threads:
                    places, figures = waiting.popleft()
                    yield places, figures.result()
            while waiting:
                places, figures = waiting.popleft()
                yield places, figures.result()
        finally:
            # What is not wanted any more is not begun.
            crew.shutdown(wait=False, cancel_futures=True)


def _figures_of(batch: _Batch) -> NDArray[np.float64]:
    """Return the figures of a batch: the one place where combinations meet the engine."""
    ground = batch.ground
    times = ground.candles.open_time
    timeframe = ground.specification.timeframe
    capital = money.float_of(ground.specification.capital)
    starts = np.array([member.warm_up_bars for member in batch.members], dtype=np.int64)
    tallies = tally(
        ground.candles,
        batch.said,
        batch.rules,
        ground.costs,
        capital=capital,
        starts=starts,
        ends=ground.ends,
        funding=ground.funding,
        detail=ground.detail,
    )
    found = tallied_metrics(
        tallies,
        capital=capital,
        durations_ms=timeframe.close_of(int(times[-1])) - times[starts],
        bars=len(times) - starts,
        skipped_levels=np.searchsorted(ground.ends, starts),
        per_year=periods_per_year(timeframe),
    )
    return np.stack([found[key] for key in FIGURES], axis=1)


def _batches(
    specification: Specification,
    combinations: Sequence[StrategyParams],
    candles: Candles,
    detail: Candles | None,
) -> Iterator[_Batch]:
    """Yield the combinations, those over the same bars together."""
    bounds: dict[int, tuple[int, int] | None] = {}
    over: dict[tuple[int, int], list[_Member]] = {}
    for place, params in enumerate(combinations):
        needs = specification.definition.requirements(params)
        warm_up_bars = needs.bars(specification.timeframe)
        if warm_up_bars not in bounds:
            bounds[warm_up_bars] = _bounds(specification, candles, warm_up_bars)
        found = bounds[warm_up_bars]
        if found is not None:
            over.setdefault(found, []).append(_Member(place, params, warm_up_bars))
    costs = specification.costs()
    for (begin, end), members in over.items():
        part = candles.slice(begin, end)
        ground = _Ground(
            specification,
            part,
            detail,
            costs,
            funding_of(specification, part.open_time),
            period_ends(part.open_time, specification.timeframe),
        )
        yield from _batches_over(ground, members)


def _batches_over(ground: _Ground, members: Sequence[_Member]) -> Iterator[_Batch]:
    """Yield combinations over the same bars, what they have in common computed once."""
    definition = ground.specification.definition
    view = MarketView(ground.candles, ground.specification.timeframe)
    permitted = _Permitted(ground.specification)
    if definition.says_of_many is not None:
        for some in _parts(members, ground):
            said = definition.says_of_many(view, [member.params for member in some])
            yield _Batch(ground, some, said, [permitted.rules(each.params) for each in some])
        return
    alike: dict[str, list[_Member]] = {}
    for member in members:
        alike.setdefault(registry.signal_parameters_hash(member.params), []).append(member)
    for group in alike.values():
        signals = definition.signals(view, group[0].params)
        for some in _parts(group, ground):
            yield _Batch(ground, some, signals, [permitted.rules(each.params) for each in some])


@dataclass(frozen=True, slots=True)
class _Permitted:
    """The rules of parameters as the market permits them; many have the same ones."""

    specification: Specification
    found: dict[Rules, Rules] = field(default_factory=dict)

    def rules(self, params: StrategyParams) -> Rules:
        wanted = self.specification.definition.rules(params)
        permitted = self.found.get(wanted)
        if permitted is None:
            kind, timeframe = self.specification.terms.kind, self.specification.timeframe
            permitted = self.found[wanted] = wanted.for_market(kind, timeframe)
        return permitted


def _parts(members: Sequence[_Member], ground: _Ground) -> Iterator[Sequence[_Member]]:
    """Yield *members* in parts of a few milliseconds each."""
    bars = len(ground.candles) + (0 if ground.detail is None else len(ground.detail))
    # Several parts even of a few, so that all threads have something to do.
    most = min(_BATCH_RUNS, _BATCH_BARS // bars, len(members) // 8)
    for first in range(0, len(members), max(most, 1)):
        yield members[first : first + max(most, 1)]


def _bounds(
    specification: Specification, candles: Candles, warm_up_bars: int
) -> tuple[int, int] | None:
    """Return which bars a combination works on that warms up for so long; None if too few."""
    times, window = candles.open_time, specification.window
    try:
        return stretch_bounds(times, window, warm_up_bars=warm_up_bars)
    except PlatformError:
        return None
