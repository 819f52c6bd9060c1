"""A finished run as people read it: figures in groups, with words; for pages and for reports."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from backtesting.explanations import EXPLANATIONS
from backtesting.metrics import CATALOGUE, MetricInfo, Section, Unit
from backtesting.models import BacktestRun, RunStatus
from backtesting.reports import plain
from market.enums import InstrumentKind
from market.timeframes import from_milliseconds
from strategies import parameters
from strategies.reasons import ReasonCode, phrase

MONTH_NAMES: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip

#: Metrics whose sign is the message.
_SIGNED: Final = frozenset(
    {
        "net_profit", "total_return", "buy_and_hold_return", "cagr", "alpha", "best_trade",
        "worst_trade", "average_trade", "median_trade", "average_win", "average_loss",
        "expectancy", "value_at_risk", "conditional_value_at_risk", "best_day", "worst_day",
        "best_month", "worst_month", "average_day", "average_month", "gross_profit", "gross_loss",
        "long_profit", "short_profit", "largest_win", "largest_loss",
    }
)  # fmt: skip
#: Two columns of about the same height.
_COLUMNS: Final = (
    (Section.OVERVIEW, Section.RISK, Section.DRAWDOWN, Section.COSTS),
    (Section.TRADES, Section.DISTRIBUTION),
)
#: Shades of a month's color, from barely anything to the most of the table.
_SHADES: Final = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric: ``show`` names the way in which it is written."""

    label: str
    show: str
    value: Any  # a number, an instant or a duration, as ``show`` says
    explanation: str


@dataclass(frozen=True, slots=True)
class FigureGroup:
    """The metrics of one section."""

    title: str
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened, with its result in money if it has one."""

    label: str
    count: int
    pnl: float | None = None
    win_rate: float | None = None
    average_return: float | None = None


@dataclass(frozen=True, slots=True)
class Month:
    """The return of a month and the shade that shows it: ``gain-4`` is the best, empty is none."""

    value: float | None
    shade: str


@dataclass(frozen=True, slots=True)
class Year:
    """The months of a year, January first, and all of it."""

    year: int
    months: Sequence[Month]
    total: float


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter as it was set."""

    title: str
    value: Any  # of whatever type the parameter is
    unit: str


@dataclass(frozen=True, slots=True)
class Interval:
    """What the bars leave open: the result if inside each bar the better order had happened."""

    total_return: float
    final_equity: float
    ambiguous_bars: int


@dataclass(frozen=True, slots=True)
class Correlations:
    """How one market's returns went with those of each."""

    symbol: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Universe:
    """What a run over many markets had at stake, and how each of them did."""

    markets: Sequence[Mapping[str, Any]]
    correlations: Sequence[Correlations]
    average_correlation: float | None
    most_positions: int
    average_positions: float
    most_gross: float
    average_gross: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished run came to."""

    key: Mapping[str, Any]
    interval: Interval | None
    columns: Sequence[Sequence[FigureGroup]]
    month_names: Sequence[str]
    years: Sequence[Year]
    exits: Sequence[Count]
    directions: Sequence[Count]
    entries: Sequence[Count]
    decisions: Sequence[Count]
    notes: Sequence[str]
    universe: Universe | None = None


@dataclass(frozen=True, slots=True)
class RunPage:
    """Everything on the page of one run."""

    run: BacktestRun
    title: str
    strategy: str
    slug: str
    market: str
    symbol: str
    quote: str
    base: str
    tick_size: Decimal
    settings: Sequence[Setting]
    result: Result | None


def present_run(run: BacktestRun) -> RunPage:
    """Return the page of *run*, with its result if it has one."""
    strategy, instrument = run.strategy_version.strategy, run.instrument
    return RunPage(
        run=run,
        title=title_of(run),
        strategy=strategy.name,
        slug=strategy.slug,
        market=run.markets.replace(",", ", "),
        symbol=instrument.symbol,
        quote=instrument.quote,
        base=instrument.base,
        tick_size=run.tick_size,
        settings=settings_of(run),
        result=present_result(run) if run.status == RunStatus.DONE else None,
    )


def present_result(run: BacktestRun) -> Result:
    """Return what *run*, which is done, came to."""
    metrics, values = run.metrics, run.metrics["values"]
    interval = _interval(metrics)
    return Result(
        key=values,
        interval=interval,
        columns=[
            [FigureGroup(each.value.capitalize(), _figures(each, values)) for each in column]
            for column in _COLUMNS
        ],
        month_names=MONTH_NAMES,
        years=_years(metrics["monthly_returns"]),
        exits=_groups(metrics["by_exit_reason"], "reason"),
        # Runs of before these were told apart have none.
        directions=_groups(metrics.get("by_direction", ()), "direction"),
        entries=_groups(metrics.get("by_entry", ()), "entry"),
        decisions=[
            Count(_sentence(ReasonCode(reason)), count)
            for reason, count in metrics["decisions"].items()
        ],
        notes=_notes(run, values, interval),
        universe=_universe(metrics.get("universe")),
    )


def _universe(told: Mapping[str, Any] | None) -> Universe | None:
    if told is None:
        return None
    correlation = told["correlation"]
    lines = zip(correlation["symbols"], correlation["matrix"], strict=True)
    return Universe(
        markets=told["markets"],
        correlations=[Correlations(symbol, values) for symbol, values in lines],
        average_correlation=correlation["average"],
        most_positions=told["most_positions"],
        average_positions=told["average_positions"],
        most_gross=told["most_gross"],
        average_gross=told["average_gross"],
    )


def settings_of(run: BacktestRun) -> Sequence[Setting]:
    """Return the strategy's parameters as *run* has them."""
    return [
        Setting(info.title, info.shown(run.parameters.get(info.name)), info.unit)
        for info in parameters.describe(run.strategy_version.parameters_schema)
    ]


def title_of(run: BacktestRun) -> str:
    """Return what *run* is called."""
    name = run.strategy_version.strategy.name
    return f"{name} on {run.short_market}, {run.timeframe}"


def present_figure(info: MetricInfo, value: Any) -> Figure:
    """Return a metric's *value* with how it is written."""
    if value is not None and info.unit is Unit.INSTANT:
        value = from_milliseconds(int(value))
    if value is not None and info.unit is Unit.DURATION:
        value = timedelta(milliseconds=value)
    prefix = "SIGNED_" if info.key in _SIGNED else ""
    return Figure(info.label, f"{prefix}{info.unit.value}", value, EXPLANATIONS[info.key])


def _figures(section: Section, values: Mapping[str, Any]) -> Sequence[Figure]:
    # Figures that were not measured yet when the run was computed are left out.
    return [
        present_figure(info, values[info.key])
        for info in CATALOGUE
        if info.section is section and info.key in values
    ]


def _groups(rows: Iterable[Mapping[str, Any]], word: str) -> Sequence[Count]:
    return [
        Count(
            row[word].replace("_", " ").capitalize(),
            row["trades"],
            row["pnl"],
            row["win_rate"],
            row.get("average_return"),
        )
        for row in rows
    ]


def _years(table: Sequence[Mapping[str, Any]]) -> Sequence[Year]:
    known = [abs(month) for row in table for month in row["months"] if month is not None]
    most = max(known, default=0.0)
    return [
        Year(row["year"], [_month(month, most) for month in row["months"]], row["total"])
        for row in table
    ]


def _month(value: float | None, most: float) -> Month:
    if not value or not most:
        return Month(value, "")
    shade = math.ceil(abs(value) / most * _SHADES)
    return Month(value, f"{'gain' if value > 0 else 'loss'}-{shade}")


def _interval(metrics: Mapping[str, Any]) -> Interval | None:
    """Return how much better it could have been; None where the bars leave nothing open."""
    other, bars = metrics.get("optimistic"), metrics.get("ambiguous_bars", 0)
    if not other or not bars or other["final_equity"] == metrics["values"]["final_equity"]:
        return None
    return Interval(other["total_return"], other["final_equity"], bars)


def _notes(run: BacktestRun, values: Mapping[str, Any], interval: Interval | None) -> Sequence[str]:
    """Return what a reader has to know before believing the figures."""
    notes = [
        *run.metrics.get("cautions", ()),
        f"It could trade from {_text(run.effective_from_at)} on; bars before that are warm-up.",
        f"Fees: {plain(run.maker_fee_bps)} bps resting, {plain(run.taker_fee_bps)} bps taking.",
        f"Market and stop orders slip by {plain(run.slippage_bps)} bps.",
        "A decision at a bar's close fills at the next bar's open.",
        "Where one bar touches both stop and target, the stop counts.",
    ]
    ambiguous = run.metrics.get("ambiguous_bars", 0)
    if ambiguous:
        shown = "; the better one is shown beside the return" if interval is not None else ""
        notes.append(
            f"In {ambiguous:,} bar{'s' if ambiguous > 1 else ''} the order of events is unknown. All "
            f"figures take the worse one{shown}."
        )
    if run.universe:
        notes.append(
            f"The universe was declared: {run.markets}. Each market counts from its first stored bar "
            "to its last; what was delisted and is not named here makes the result too good."
        )
        notes.append("Buy and hold is an equal part of each market that was there at the start.")
        notes.append("Stored minutes are not looked at: what a bar does not say is an interval.")
    notes.append(_note_on_funding(run))
    if run.instrument.kind == InstrumentKind.SPOT:
        notes.append("A spot market cannot be sold short: such signals only close a position.")
    if run.missing_bars:
        missing = f"{run.missing_bars:,} {'bar' if run.missing_bars == 1 else 'bars'}"
        notes.append(f"Of the window {missing} could not be had: gaps in the stored candles.")
    if values.get("open_trades"):
        notes.append(
            "The last trade was still open at the end. It is marked at the last close; measures of "
            "trades leave it out."
        )
    return notes


def _note_on_funding(run: BacktestRun) -> str:
    if run.instrument.kind == InstrumentKind.SPOT:
        return "Funding: none, it is paid for swaps alone."
    if not run.funding_bps:
        return "Funding is left out: holding a swap costs and earns nothing here."
    return (
        f"Funding: a long position pays {plain(run.funding_bps)} bps at 0, 8 and 16 o'clock UTC, a "
        "short one is paid as much."
    )


def _text(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "the start"


def _sentence(reason: ReasonCode) -> str:
    words = phrase(reason)
    return f"{words[:1].upper()}{words[1:]}"
