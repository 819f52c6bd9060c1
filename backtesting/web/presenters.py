"""Runs as pages show them: plain values, no query and no choice left to a template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from backtesting.metrics import CATALOGUE, MetricInfo, Section, Unit
from backtesting.models import BacktestRun, RunStatus
from backtesting.reports import plain
from backtesting.web.coverage import CoverageRow
from backtesting.web.explanations import EXPLANATIONS
from market.enums import ExitReason, InstrumentKind
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds
from strategies import parameters
from strategies.reasons import ReasonCode, phrase
from strategies.web.parameter_fields import PREFIX

#: Metrics whose sign is the message.
_SIGNED: Final = frozenset(
    {
        "net_profit", "total_return", "buy_and_hold_return", "cagr", "alpha", "best_trade",
        "worst_trade", "average_trade", "median_trade", "average_win", "average_loss",
        "expectancy", "value_at_risk", "conditional_value_at_risk", "best_day", "worst_day",
        "best_month", "worst_month",
    }
)  # fmt: skip
#: Two columns of about the same height.
_COLUMNS: Final = (
    (Section.OVERVIEW, Section.RISK, Section.DRAWDOWN, Section.COSTS),
    (Section.TRADES, Section.DISTRIBUTION),
)
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


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


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter as it was set."""

    title: str
    value: Any  # of whatever type the parameter is
    unit: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished run came to."""

    key: Mapping[str, Any]
    columns: Sequence[Sequence[FigureGroup]]
    month_names: Sequence[str]
    years: Sequence[Mapping[str, Any]]
    exits: Sequence[Count]
    decisions: Sequence[Count]
    notes: Sequence[str]


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


def present_row(run: BacktestRun) -> RunRow:
    """Return a line of the list."""
    values = run.metrics.get("values", {})
    return RunRow(
        run=run,
        strategy=run.strategy_version.strategy.name,
        market=f"{run.instrument.symbol} · {run.timeframe}",
        total_return=values.get("total_return"),
        buy_and_hold=values.get("buy_and_hold_return"),
        max_drawdown=values.get("max_drawdown"),
        trades=values.get("trades"),
    )


def present_run(run: BacktestRun) -> RunPage:
    """Return the page of *run*, with its result if it has one."""
    strategy, instrument = run.strategy_version.strategy, run.instrument
    settings = [
        Setting(info.title, run.parameters.get(info.name), info.unit)
        for info in parameters.describe(run.strategy_version.parameters_schema)
    ]
    return RunPage(
        run=run,
        title=f"{strategy.name} on {instrument.symbol}, {run.timeframe}",
        strategy=strategy.name,
        slug=strategy.slug,
        market=f"{instrument.venue.code}:{instrument.symbol}",
        symbol=instrument.symbol,
        quote=instrument.quote,
        base=instrument.base,
        tick_size=run.tick_size,
        settings=settings,
        result=_result(run) if run.status == RunStatus.DONE else None,
    )


def form_values(run: BacktestRun) -> dict[str, Any]:
    """Return what the form of a new run begins with to repeat *run*."""
    same_fees = run.maker_fee_bps == run.taker_fee_bps
    return {
        "market": f"{run.instrument.venue.code}:{run.instrument.symbol}",
        "timeframe": run.timeframe,
        "from": run.from_at,
        "to": run.to_at,
        "capital": plain(run.capital),
        "fee_bps": plain(run.taker_fee_bps) if same_fees else None,
        "slippage_bps": plain(run.slippage_bps),
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


def _result(run: BacktestRun) -> Result:
    values = run.metrics["values"]
    return Result(
        key=values,
        columns=[
            [FigureGroup(each.value.capitalize(), _figures(each, values)) for each in column]
            for column in _COLUMNS
        ],
        month_names=_MONTHS,
        years=run.metrics["monthly_returns"],
        exits=[
            Count(_words(ExitReason(row["reason"])), row["trades"], row["pnl"], row["win_rate"])
            for row in run.metrics["by_exit_reason"]
        ],
        decisions=[
            Count(_sentence(ReasonCode(reason)), count)
            for reason, count in run.metrics["decisions"].items()
        ],
        notes=_notes(run, values),
    )


def _figures(section: Section, values: Mapping[str, Any]) -> Sequence[Figure]:
    return [_figure(info, values.get(info.key)) for info in CATALOGUE if info.section is section]


def _figure(info: MetricInfo, value: Any) -> Figure:
    explanation = EXPLANATIONS[info.key]
    if value is not None and info.unit is Unit.INSTANT:
        value = from_milliseconds(int(value))
    if value is not None and info.unit is Unit.DURATION:
        value = timedelta(milliseconds=value)
    prefix = "SIGNED_" if info.key in _SIGNED else ""
    return Figure(info.label, f"{prefix}{info.unit.value}", value, explanation)


def _notes(run: BacktestRun, values: Mapping[str, Any]) -> Sequence[str]:
    """Return what a reader has to know before believing the figures."""
    notes = [
        f"It could trade from {_text(run.effective_from_at)} on; bars before that are warm-up.",
        f"Fees: {plain(run.maker_fee_bps)} bps resting, {plain(run.taker_fee_bps)} bps taking.",
        f"Market and stop orders slip by {plain(run.slippage_bps)} bps.",
        "A decision at a bar's close fills at the next bar's open.",
        "Where one bar touches both stop and target, the stop counts.",
    ]
    if run.instrument.kind == InstrumentKind.SPOT:
        notes.append("A spot market cannot be sold short: such signals only close a position.")
    missing = _missing_bars(run)
    if missing > 0:
        notes.append(f"{missing:,} bars of the window are missing in the stored candles.")
    if values.get("open_trades"):
        notes.append(
            "The last trade was still open at the end. It is marked at the last close; measures of "
            "trades leave it out."
        )
    return notes


def _missing_bars(run: BacktestRun) -> int:
    timeframe = Timeframe(run.timeframe)
    if timeframe is Timeframe.MO1 or run.effective_from_at is None:
        return 0
    length = to_milliseconds(run.to_at) - to_milliseconds(run.effective_from_at)
    return length // timeframe.milliseconds - run.bar_count


def _text(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "the start"


def _words(reason: ExitReason) -> str:
    return reason.value.replace("_", " ").capitalize()


def _sentence(reason: ReasonCode) -> str:
    words = phrase(reason)
    return f"{words[:1].upper()}{words[1:]}"
