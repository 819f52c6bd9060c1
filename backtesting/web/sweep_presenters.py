"""Sweeps as pages show them: plain values, no query and no choice left to a template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from backtesting.domain.objectives import FIGURES, OBJECTIVES, Objective, figure_info
from backtesting.domain.searches import Axis, Method
from backtesting.domain.trials import Trials
from backtesting.models import Sweep
from backtesting.reports import plain
from backtesting.results import Figure, Setting, present_figure
from backtesting.selectors import sweeps as selectors
from backtesting.sweep_reports import PARAMETER
from backtesting.web.coverage import CoverageRow
from strategies import parameters
from strategies.parameters import ParameterInfo
from strategies.web.parameter_fields import PREFIX

#: The figures of a line of the table; the rest is in the files.
_SHOWN: Final = (
    "total_return",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "profit_factor",
    "win_rate",
    "trades",
    "final_equity",
)
_METHODS: Final = {
    Method.GRID: "Grid",
    Method.RANDOM: "Random",
    Method.GUIDED: "Guided (Parzen estimator)",
}
#: So many values in even steps are told as a range.
_RANGE: Final = 3


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One sweep in the list."""

    sweep: Sweep
    strategy: str
    market: str
    swept: str
    objective: str
    best: Figure | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table of trials; ``order`` is what a click on its head asks for."""

    title: str
    order: str
    sorted: str  # as ``aria-sort`` says it


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial in the table."""

    number: int
    objective: Figure
    values: Sequence[Any]  # of whatever type the parameters are
    figures: Sequence[Figure]
    is_best: bool


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial and what to think of it."""

    number: int
    settings: Sequence[Setting]
    objective: Figure
    figures: Sequence[Figure]
    caution: str


@dataclass(frozen=True, slots=True)
class SweepPage:
    """Everything on the page of one sweep but its trials."""

    sweep: Sweep
    title: str
    strategy: str
    slug: str
    market: str
    quote: str
    method: str
    objective: str
    axes: Sequence[tuple[str, str]]
    settings: Sequence[Setting]
    skipped: int
    best: Best | None


def present_row(sweep: Sweep) -> SweepRow:
    """Return a line of the list."""
    infos = infos_of(sweep)
    names = [axis["name"] for axis in sweep.space]
    figures = sweep.best["figures"] if sweep.best else None
    return SweepRow(
        sweep=sweep,
        strategy=sweep.strategy_version.strategy.name,
        market=f"{sweep.short_market} · {sweep.timeframe}",
        swept=", ".join(infos[name].title if name in infos else name for name in names),
        objective=OBJECTIVES[sweep.objective].info.label,
        best=figure(sweep.objective, figures) if figures else None,
    )


def present_sweep(sweep: Sweep) -> SweepPage:
    """Return the page of *sweep*."""
    strategy = sweep.strategy_version.strategy
    infos = infos_of(sweep)
    axes = selectors.space_of(sweep).axes
    swept = {axis.name for axis in axes}
    return SweepPage(
        sweep=sweep,
        title=f"Sweep of {strategy.name} on {sweep.short_market}, {sweep.timeframe}",
        strategy=strategy.name,
        slug=strategy.slug,
        market=sweep.markets.replace(",", ", "),
        quote=sweep.instrument.quote,
        method=_METHODS[Method(sweep.method)],
        objective=OBJECTIVES[sweep.objective].info.label,
        axes=[(title_of(infos, axis.name), _axis_text(axis)) for axis in axes],
        settings=[
            Setting(info.title, info.shown(sweep.parameters.get(info.name)), info.unit)
            for info in infos.values()
            if info.name not in swept
        ],
        skipped=sweep.trials_asked - sweep.trials_planned,
        best=_best(sweep, sweep.best, infos) if sweep.best else None,
    )


def columns_of(sweep: Sweep, trials: Trials, order: str) -> Sequence[Column]:
    """Return the columns of the table of trials when it is sorted by *order*."""
    infos = infos_of(sweep)
    objective, *others = _shown(sweep)
    keys = [("number", "#"), (objective, figure_info(objective).label)]
    keys += [(f"{PARAMETER}{name}", title_of(infos, name)) for name in trials.names]
    keys += [(key, figure_info(key).label) for key in others]
    return [_column(key, title, order) for key, title in keys]


def trial_row(sweep: Sweep, trials: Trials, index: int) -> TrialRow:
    """Return a line of the table of trials."""
    number = int(trials.numbers[index])
    figures = trials.figures_json(index)
    objective, *others = _shown(sweep)
    return TrialRow(
        number=number,
        objective=figure(objective, figures),
        values=trials.points[index],
        figures=[figure(key, figures) for key in others],
        is_best=is_best(sweep, number),
    )


def default_order(sweep: Sweep) -> str:
    """Return the order with the best trial first."""
    return f"-{sweep.objective}" if OBJECTIVES[sweep.objective].sign > 0 else sweep.objective


def figure(key: str, figures: Mapping[str, Any]) -> Figure:
    """Return a figure of a trial, as templates write figures."""
    return present_figure(figure_info(key), figures[key])


def infos_of(sweep: Sweep) -> dict[str, ParameterInfo]:
    """Return the strategy's parameters by name, as they were at the request."""
    schema = sweep.strategy_version.parameters_schema
    return {info.name: info for info in parameters.describe(schema)}


def title_of(infos: Mapping[str, ParameterInfo], name: str) -> str:
    """Return what a parameter is called."""
    return infos[name].title if name in infos else name


def form_values(sweep: Sweep) -> dict[str, Any]:
    """Return what the form of a new sweep begins with to repeat *sweep*."""
    has_one_fee = sweep.maker_fee_bps == sweep.taker_fee_bps
    swept = {axis.name: _axis_text(axis) for axis in selectors.space_of(sweep).axes}
    settings = {**sweep.parameters, **swept}
    return {
        "market": sweep.markets,
        "universe": sweep.markets,
        "timeframe": sweep.timeframe,
        "from": sweep.from_at,
        "to": sweep.to_at,
        "capital": plain(sweep.capital),
        "fee_bps": plain(sweep.taker_fee_bps) if has_one_fee else None,
        "slippage_bps": plain(sweep.slippage_bps),
        "funding_bps": plain(sweep.funding_bps),
        "method": sweep.method,
        "objective": sweep.objective,
        "trials": None if sweep.method == Method.GRID else sweep.trials_asked,
        "least_trades": sweep.least_trades,
        "seed": sweep.seed,
        **{f"{PREFIX}{name}": _text(value) for name, value in settings.items()},
    }


def form_proposal(row: CoverageRow | None, infos: Sequence[ParameterInfo]) -> dict[str, Any]:
    """Return what the form of a new sweep begins with: all of a stored series, and two ranges."""
    proposed = {f"{PREFIX}{info.name}": text for info, text in _proposed_axes(infos)}
    if row is None:
        return proposed
    window = {
        "market": row.market,
        "timeframe": row.timeframe,
        "from": row.first_at,
        "to": row.end_at,
    }
    return {**window, **proposed}


def _proposed_axes(infos: Sequence[ParameterInfo]) -> Sequence[tuple[ParameterInfo, str]]:
    """Return a range around the default of the first two whole numbers that the signal depends on."""
    found: list[tuple[ParameterInfo, str]] = []
    for info in infos:
        if info.kind == "integer" and info.affects_signal and info.default and len(found) < 2:
            step = max(info.default // 4, 1)
            low = max(info.default - 2 * step, int(info.minimum or 1))
            high = min(info.default + 4 * step, int(info.maximum or info.default))
            if low < high:
                found.append((info, f"{low}:{high}:{step}"))
    return found


def is_best(sweep: Sweep, number: int) -> bool:
    """Tell whether the trial of this number is the best so far."""
    return sweep.best is not None and sweep.best["number"] == number


def _best(sweep: Sweep, best: Mapping[str, Any], infos: Mapping[str, ParameterInfo]) -> Best:
    figures = best["figures"]
    return Best(
        number=best["number"],
        settings=[
            Setting(infos[name].title, infos[name].shown(value), infos[name].unit)
            if name in infos
            else Setting(name, value, "")
            for name, value in best["parameters"].items()
        ],
        objective=figure(sweep.objective, figures),
        figures=[figure(key, figures) for key in _shown(sweep) if key != sweep.objective],
        caution=_caution(sweep, OBJECTIVES[sweep.objective]),
    )


def _caution(sweep: Sweep, objective: Objective) -> str:
    if sweep.trials_done == 1:
        return "One trial was made, so nothing was chosen."
    return (
        f"It is the best of {sweep.trials_done:,} trials on the same candles, by “{objective.info.label}”. "
        "The more are tried, the better the best looks by chance alone: try it on a window that it "
        "was not chosen on before you believe it."
    )


def _shown(sweep: Sweep) -> Sequence[str]:
    """Return the figures of the table, the objective first."""
    return [sweep.objective, *(key for key in _SHOWN if key != sweep.objective)]


def _column(key: str, title: str, order: str) -> Column:
    is_descending = order.startswith("-")
    if order.removeprefix("-") == key:
        return Column(
            title,
            key if is_descending else f"-{key}",
            "descending" if is_descending else "ascending",
        )
    # Of a figure people want the largest first, of a parameter the smallest.
    return Column(title, f"-{key}" if key in FIGURES else key, "none")


def _axis_text(axis: Axis) -> str:
    """Return the values of *axis* as a person may write them: a range if its steps are even."""
    if axis.is_continuous:
        return f"{axis.low:g}:{axis.high:g}"
    numbers = [value for value in axis.values if not isinstance(value, str | bool)]
    exact = [Decimal(str(number)) for number in numbers]
    steps = {after - before for before, after in pairwise(exact)}
    if len(exact) == len(axis.values) >= _RANGE and len(steps) == 1:
        return f"{_text(numbers[0])}:{_text(numbers[-1])}:{plain(steps.pop())}"
    return ", ".join(_text(value) for value in axis.values)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
