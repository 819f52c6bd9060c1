"""Runs as pages show them: plain values, no query and no choice left to a template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backtesting.comparison import ComparedSetting, Comparison
from backtesting.drawings import ScatterDrawing, draw_excursions
from backtesting.metrics import Section
from backtesting.models import BacktestRun
from backtesting.reports import plain
from backtesting.results import Figure, present_figure
from backtesting.selectors.excursions import Excursions
from backtesting.web.coverage import CoverageRow
from strategies.web.parameter_fields import PREFIX


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the list."""

    run: BacktestRun
    strategy: str
    market: str
    total_return: float | None
    buy_and_hold: float | None
    max_drawdown: float | None
    trades: int | None
    is_comparable: bool


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """The head of a column of the comparison."""

    letter: str
    run: BacktestRun
    strategy: str
    market: str


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """One figure of one run."""

    letter: str
    figure: Figure
    is_best: bool


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One metric of all runs."""

    label: str
    explanation: str
    cells: Sequence[ComparedCell]


@dataclass(frozen=True, slots=True)
class ComparedSection:
    """The metrics of one section."""

    title: str
    rows: Sequence[ComparedRow]


@dataclass(frozen=True, slots=True)
class ComparedChoice:
    """One setting of all runs, each value with the letter of its run."""

    setting: ComparedSetting
    values: Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """Everything on the page that shows runs side by side."""

    runs: Sequence[ComparedRun]
    sections: Sequence[ComparedSection]
    choices: Sequence[ComparedChoice]
    curves: Mapping[str, Any]


def present_row(run: BacktestRun) -> RunRow:
    """Return a line of the list."""
    values = run.metrics.get("values", {})
    return RunRow(
        run=run,
        strategy=run.strategy_version.strategy.name,
        market=f"{run.short_market} · {run.timeframe}",
        total_return=values.get("total_return"),
        buy_and_hold=values.get("buy_and_hold_return"),
        max_drawdown=values.get("max_drawdown"),
        trades=values.get("trades"),
        is_comparable=bool(values),
    )


def present_excursions(reach: Excursions) -> ScatterDrawing | None:
    """Return how far prices went against trades and for them; None without trades."""
    return draw_excursions(reach.adverse, reach.favorable, reach.won, total=reach.total)


def present_comparison(compared: Comparison) -> ComparisonPage:
    """Return runs side by side."""
    letters = [chr(ord("A") + place) for place in range(len(compared.runs))]
    rows: dict[Section, list[ComparedRow]] = {section: [] for section in Section}
    for each in compared.figures:
        shown = [present_figure(each.info, value) for value in each.values]
        cells = [
            ComparedCell(letter, figure, place in each.best)
            for place, (letter, figure) in enumerate(zip(letters, shown, strict=True))
        ]
        rows[each.info.section].append(ComparedRow(each.info.label, shown[0].explanation, cells))
    return ComparisonPage(
        runs=[
            ComparedRun(
                letter,
                run,
                run.strategy_version.strategy.name,
                f"{run.short_market} · {run.timeframe}",
            )
            for letter, run in zip(letters, compared.runs, strict=True)
        ],
        sections=[
            ComparedSection(section.value.capitalize(), found) for section, found in rows.items()
        ],
        choices=[
            ComparedChoice(setting, list(zip(letters, map(_shown, setting.shown), strict=True)))
            for setting in compared.settings
        ],
        curves=compared.curves(),
    )


def form_values(run: BacktestRun) -> dict[str, Any]:
    """Return what the form of a new run begins with to repeat *run*."""
    same_fees = run.maker_fee_bps == run.taker_fee_bps
    return {
        "market": run.markets,
        "universe": run.markets,
        "timeframe": run.timeframe,
        "from": run.from_at,
        "to": run.to_at,
        "capital": plain(run.capital),
        "fee_bps": plain(run.taker_fee_bps) if same_fees else None,
        "slippage_bps": plain(run.slippage_bps),
        "funding_bps": plain(run.funding_bps),
        **{f"{PREFIX}{name}": value for name, value in run.parameters.items()},
    }


def form_proposal(row: CoverageRow | None) -> dict[str, Any]:
    """Return what the form of a new run begins with: all of a stored series."""
    if row is None:
        return {}
    return {
        "market": row.market,
        "timeframe": row.timeframe,
        "from": row.first_at,
        "to": row.end_at,
    }


def _shown(value: Any) -> Any:
    """Return a setting as people read it; instants are text in ISO 8601."""
    is_instant = isinstance(value, str) and value.endswith(":00Z")
    return value.removesuffix(":00Z").replace("T", " ") if is_instant else value
