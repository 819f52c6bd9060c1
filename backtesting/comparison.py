"""A few finished runs side by side: their figures with the best marked, their settings, their curves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backtesting.domain.curves import EquityCurve, thinned_indices
from backtesting.metrics import CATALOGUE, Better, MetricInfo
from backtesting.models import BacktestRun
from backtesting.reports import instant, plain, require_done
from market import money
from market.errors import FieldProblem, InvalidInputError
from strategies import parameters
from strategies.parameters import ParameterInfo

FEWEST: Final = 2
MOST: Final = 5
#: Points of one curve; five of them are drawn in one chart.
_POINTS: Final = 1_000


class InvalidComparisonError(InvalidInputError):
    """These runs cannot be compared: there are too few, too many, or one twice."""

    code = "invalid_comparison"

    def __init__(self) -> None:
        message = f"Choose from {FEWEST} to {MOST} different backtests to compare."
        super().__init__(message, problems=[FieldProblem("ids", self.code, message)])


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One metric of all runs; ``best`` holds the places of the best values, if they differ."""

    info: MetricInfo
    values: Sequence[float | int | None]
    best: frozenset[int]


@dataclass(frozen=True, slots=True)
class ComparedSetting:
    """One thing that was chosen; None where a run's strategy does not know it.

    ``info`` describes a parameter of the strategy.
    """

    name: str
    title: str
    unit: str
    values: Sequence[Any]  # of whatever type the parameter is
    info: ParameterInfo | None = None

    @property
    def shown(self) -> Sequence[Any]:
        """The values as people read them."""
        return [value if self.info is None else self.info.shown(value) for value in self.values]

    @property
    def differs(self) -> bool:
        """Whether the runs do not all have the same."""
        return any(value != self.values[0] for value in self.values)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs and what they have in common, in one order."""

    runs: Sequence[BacktestRun]
    figures: Sequence[ComparedFigure]
    settings: Sequence[ComparedSetting]

    def curves(self) -> dict[str, Any]:
        """Return the return since the start of each run as a line of a chart, 0.01 is 1 %."""
        return {
            "series": [
                {"name": name, "kind": "return", "points": _points(run)}
                for name, run in zip(names_of(self.runs), self.runs, strict=True)
            ]
        }


def require_comparable(ids: Sequence[object]) -> None:
    """Raise InvalidComparisonError unless *ids* are a few different ones."""
    if not FEWEST <= len(ids) <= MOST or len(set(ids)) != len(ids):
        raise InvalidComparisonError


def compare(runs: Sequence[BacktestRun]) -> Comparison:
    """Return *runs*, with their curves loaded, side by side; raise RunNotDoneError for one without result."""
    for run in runs:
        require_done(run)
    figures = [
        _figure(info, [run.metrics["values"].get(info.key) for run in runs]) for info in CATALOGUE
    ]
    return Comparison(runs, figures, [*_terms(runs), *_parameters(runs)])


def names_of(runs: Sequence[BacktestRun]) -> Sequence[str]:
    """Return a short name for each run, which no other of them has."""
    return [
        f"{chr(ord('A') + place)} · {run.strategy_version.strategy.name}, {run.short_market} {run.timeframe}"
        for place, run in enumerate(runs)
    ]


def _figure(info: MetricInfo, values: Sequence[float | int | None]) -> ComparedFigure:
    known = [value for value in values if value is not None]
    if info.better is Better.NEITHER or not known:
        return ComparedFigure(info, values, frozenset())
    best = max(known) if info.better is Better.HIGHER else min(known)
    places = frozenset(
        place for place, value in enumerate(values) if value is not None and _are_equal(value, best)
    )
    # Where all are equally good, none is the best.
    return ComparedFigure(info, values, frozenset() if len(places) == len(known) else places)


def _are_equal(value: float, other: float) -> bool:
    """Return whether two values differ by no more than their sums were rounded."""
    return math.isclose(value, other, rel_tol=1e-6, abs_tol=1e-9)


def _terms(runs: Sequence[BacktestRun]) -> Sequence[ComparedSetting]:
    def row(name: str, title: str, values: Sequence[Any], unit: str = "") -> ComparedSetting:
        return ComparedSetting(name, title, unit, values)

    return [
        row("strategy", "Strategy", [run.strategy_version.strategy.name for run in runs]),
        row("strategy_version", "Version", [run.strategy_version.number for run in runs]),
        row("market", "Market", [market_of(run) for run in runs]),
        row("timeframe", "Timeframe", [run.timeframe for run in runs]),
        row("from", "From", [instant(run.from_at) for run in runs]),
        row("to", "To", [instant(run.to_at) for run in runs]),
        row("capital", "Capital", [plain(run.capital) for run in runs]),
        row("maker_fee_bps", "Fee, maker", [plain(run.maker_fee_bps) for run in runs], "bps"),
        row("taker_fee_bps", "Fee, taker", [plain(run.taker_fee_bps) for run in runs], "bps"),
        row("slippage_bps", "Slippage", [plain(run.slippage_bps) for run in runs], "bps"),
        row("funding_bps", "Funding", [plain(run.funding_bps) for run in runs], "bps"),
        row("engine_version", "Engine", [run.engine_version for run in runs]),
    ]


def market_of(run: BacktestRun) -> str:
    """Return venue and symbol of *run*, as people write them."""
    return run.markets


def _parameters(runs: Sequence[BacktestRun]) -> Sequence[ComparedSetting]:
    described = {
        info.name: info
        for run in runs
        for info in parameters.describe(run.strategy_version.parameters_schema)
    }
    return [
        ComparedSetting(
            f"parameters.{name}",
            info.title,
            info.unit,
            [run.parameters.get(name) for run in runs],
            info,
        )
        for name, info in described.items()
    ]


def _points(run: BacktestRun) -> Sequence[dict[str, float]]:
    curve = EquityCurve.from_bytes(bytes(run.equity or b""), capital=money.float_of(run.capital))
    kept = thinned_indices(curve.equity, limit=_POINTS)
    gains = curve.equity[kept] / curve.capital - 1
    return [
        {"time": at // 1_000, "value": gain}
        for at, gain in zip(curve.close_time[kept].tolist(), gains.tolist(), strict=True)
    ]
