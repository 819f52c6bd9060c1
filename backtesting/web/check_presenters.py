"""Checks as pages show them: plain values, no query and no choice left to a template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from backtesting.domain.verdicts import COSTS, PARAMETERS, Verdict
from backtesting.models import RunStatus, StrategyCheck
from strategies import parameters
from strategies.causality import Check

#: What each check is called, and what it tries, in a sentence.
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    Check.REPEAT: ("Repeatable", "The same bars once more have to give the same signals."),
    Check.PREFIX: (
        "No look ahead",
        "Bars that are appended later must not change what was said before.",
    ),
    Check.FUTURE: ("Another future", "Different later bars must not change what was said before."),
    Check.HIGHER: (
        "Longer bars closed",
        "The rest of a longer bar that is not closed yet must not change anything.",
    ),
    Check.WARM_UP: (
        "Warm-up long enough",
        "After the warm-up, a history that begins earlier must not change anything.",
    ),
    COSTS: ("Cost stress", "Backtests with fees and slippage twice and three times as high."),
    PARAMETERS: (
        "Neighboring parameters",
        "Backtests with each number moved by a tenth, or a step, both ways.",
    ),
}
_VERDICTS: Final[Mapping[str, tuple[str, str]]] = {
    Verdict.PASSED: ("Passed", "gain"),
    Verdict.WARNING: ("Warning", "warning"),
    Verdict.FAILED: ("Failed", "loss"),
    Verdict.NOT_APPLICABLE: ("Not applicable", "neutral"),
}
_SUMMARIES: Final[Mapping[str, str]] = {
    Verdict.PASSED: "Nothing speaks against it on these candles.",
    Verdict.WARNING: "It uses nothing that it could not have known, but its results are not firm.",
    Verdict.FAILED: "It uses what it could not have known. Its backtests show nothing.",
}


@dataclass(frozen=True, slots=True)
class Badge:
    """A verdict as a word in a color."""

    code: str
    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One backtest among the evidence; without figures if it was not run, and *note* says why."""

    label: str
    change: str
    note: str
    total_return: float | None = None
    max_drawdown: float | None = None
    sharpe: float | None = None
    trades: int | None = None


@dataclass(frozen=True, slots=True)
class ResultCard:
    """One check with its evidence."""

    title: str
    explanation: str
    badge: Badge
    sentence: str
    trials: int
    violation: Mapping[str, Any] | None
    violation_at: datetime | None
    rows: Sequence[EvidenceRow]


@dataclass(frozen=True, slots=True)
class ReportPage:
    """One check of a strategy, done or under way."""

    check: StrategyCheck
    title: str
    strategy: str
    slug: str
    market: str
    settings: Sequence[tuple[str, Any, str]]
    badge: Badge | None
    summary: str
    results: Sequence[ResultCard]


def present_check(check: StrategyCheck) -> ReportPage:
    """Return the page of *check*, with its report if it has one."""
    strategy, instrument = check.strategy_version.strategy, check.instrument
    is_done = check.status == RunStatus.DONE
    return ReportPage(
        check=check,
        title=f"Checks of {strategy.name} on {instrument.symbol}, {check.timeframe}",
        strategy=strategy.name,
        slug=strategy.slug,
        market=f"{instrument.venue.code}:{instrument.symbol}",
        settings=[
            (info.title, info.shown(check.parameters.get(info.name)), info.unit)
            for info in parameters.describe(check.strategy_version.parameters_schema)
        ],
        badge=_badge(check.verdict) if is_done else None,
        summary=_SUMMARIES[check.verdict] if is_done else "",
        results=[_card(result) for result in check.results] if is_done else (),
    )


def form_values(check: StrategyCheck | None, proposal: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form begins with: what *check* was done on, or else the *proposal*."""
    if check is None:
        return dict(proposal)
    return {
        "market": f"{check.instrument.venue.code}:{check.instrument.symbol}",
        "timeframe": check.timeframe,
        "from": check.from_at,
        "to": check.to_at,
    }


def _card(result: Mapping[str, Any]) -> ResultCard:
    title, explanation = _WORDS[result["check"]]
    violation = result["violation"]
    return ResultCard(
        title=title,
        explanation=explanation,
        badge=_badge(result["verdict"]),
        sentence=result["sentence"],
        trials=result["trials"],
        violation=violation,
        violation_at=datetime.fromisoformat(violation["at"]) if violation else None,
        rows=[
            EvidenceRow(row["label"], row["change"], row["note"], **(row["values"] or {}))
            for row in result["rows"]
        ],
    )


def _badge(verdict: str) -> Badge:
    label, tone = _VERDICTS[verdict]
    return Badge(verdict, label, tone)
