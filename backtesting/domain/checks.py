"""What speaks against a strategy: looks at the future, thin margins, luck with one parameter.

Causality is proven or refuted; costs and neighboring parameters are evidence with a judgment.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from backtesting.domain.backtest import run_backtest
from backtesting.domain.neighbors import Neighbor, neighbors_of
from backtesting.domain.portfolio import AnyBacktest, run_portfolio
from backtesting.domain.specification import Charges, Specification
from backtesting.domain.universes import universe_fingerprint, universe_stretch
from backtesting.domain.verdicts import COSTS, PARAMETERS, Verdict
from backtesting.domain.windows import WindowTooShortError, stretch_of
from backtesting.engine import data_fingerprint
from market.candles import Candles
from market.timeframes import from_milliseconds
from strategies import causality
from strategies.causality import Finding, History, MarketHistory, UniverseHistory, Violation
from strategies.views import UniverseView

#: How often fees and slippage are multiplied.
COST_FACTORS: Final = (2, 3)
#: A neighbor that keeps less of the return than this part tells that the value was luck.
_KEPT: Final = 0.5
#: How the work is divided for whoever watches its progress.
_CAUSALITY_PART: Final = 0.5
#: The metrics of a run that a row of evidence shows.
SHOWN: Final = ("total_return", "max_drawdown", "sharpe", "trades")


@dataclass(frozen=True, slots=True)
class Row:
    """One backtest among the evidence: what was different, and what it came to, or why it was not run."""

    label: str
    change: str
    values: Mapping[str, float | int | None] | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check with its evidence; *trials* counts the experiments."""

    check: str
    verdict: Verdict
    sentence: str
    trials: int
    violation: Violation | None = None
    rows: Sequence[Row] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "check": self.check,
            "verdict": self.verdict.value,
            "sentence": self.sentence,
            "trials": self.trials,
            "violation": _violation_json(self.violation),
            "rows": [
                {
                    "label": row.label,
                    "change": row.change,
                    "values": dict(row.values) if row.values is not None else None,
                    "note": row.note,
                }
                for row in self.rows
            ],
        }


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All checks of a strategy on one stretch of bars."""

    results: Sequence[CheckResult]
    bar_count: int
    data_fingerprint: str

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        found = {result.verdict for result in self.results}
        worst_first = (Verdict.FAILED, Verdict.WARNING)
        return next((verdict for verdict in worst_first if verdict in found), Verdict.PASSED)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the results as plain values, causality first."""
        return [result.to_json() for result in self.results]


def check_strategy(
    specification: Specification,
    bars: Candles | UniverseView,
    *,
    progress: Callable[[float], None] | None = None,
) -> CheckReport:
    """Return what all checks come to for *specification* on *bars*, its window and warm-up.

    They are those of its market, or of its universe. Pure: the same arguments give the same report.
    *progress* gets the part that is done and may raise to stop. Raises NoCandlesError,
    WindowTooShortError or TooFewBarsError where there is too little to show anything, and
    StrategyFailedError if the strategy breaks.
    """
    report = progress or _ignore
    history, fingerprint = _history_of(specification, bars)
    findings = causality.examine(
        specification.definition,
        specification.params,
        history,
        progress=lambda part: report(part * _CAUSALITY_PART),
    )
    neighbors = neighbors_of(specification.definition, specification.params)
    runs = 1 + len(COST_FACTORS) + len(neighbors)
    done = 0

    def run(changed: Specification) -> AnyBacktest:
        nonlocal done
        backtest = _backtest(changed, bars)
        done += 1
        report(_CAUSALITY_PART + (1 - _CAUSALITY_PART) * min(done / runs, 1.0))
        return backtest

    base = _shown(run(specification))
    results = [
        *(causality_result(finding) for finding in findings),
        _costs_result(specification, base, run),
        _parameters_result(specification, base, neighbors, run),
    ]
    report(1.0)
    return CheckReport(results, len(history), fingerprint)


def _history_of(specification: Specification, bars: Candles | UniverseView) -> tuple[History, str]:
    """Return exactly the bars that a run works on, and their fingerprint."""
    window, warm_up = specification.window, specification.warm_up_bars
    if isinstance(bars, UniverseView):
        view = universe_stretch(bars, window, warm_up_bars=warm_up).view
        return UniverseHistory(view), universe_fingerprint(view)
    candles = stretch_of(bars, window, warm_up_bars=warm_up).candles
    return MarketHistory(candles, specification.timeframe), data_fingerprint(candles)


def _backtest(specification: Specification, bars: Candles | UniverseView) -> AnyBacktest:
    if isinstance(bars, UniverseView):
        return run_portfolio(specification, bars)
    return run_backtest(specification, bars)


def causality_result(finding: Finding) -> CheckResult:
    """Return what *finding* is in a report."""
    violation = finding.violation
    if violation is not None:
        return CheckResult(
            finding.check.value,
            Verdict.FAILED,
            _sentence_of(violation),
            finding.trials,
            violation,
        )
    if not finding.trials:
        words = "No longer bars fit into this history."
        return CheckResult(finding.check.value, Verdict.NOT_APPLICABLE, words, 0)
    words = "Nothing that was said changed."
    return CheckResult(finding.check.value, Verdict.PASSED, words, finding.trials)


def _costs_result(
    specification: Specification,
    base: Mapping[str, Any],
    run: Callable[[Specification], AnyBacktest],
) -> CheckResult:
    rows = [Row("1 x", _charges_words(specification.charges), base)]
    for factor in COST_FACTORS:
        charges = _charges_times(specification.charges, factor)
        values = _shown(run(replace(specification, charges=charges)))
        rows.append(Row(f"{factor} x", _charges_words(charges), values))
    verdict, sentence = _judge_costs(base, rows)
    return CheckResult(COSTS, verdict, sentence, len(rows), rows=rows)


def _judge_costs(base: Mapping[str, Any], rows: Sequence[Row]) -> tuple[Verdict, str]:
    if not base["trades"]:
        return Verdict.NOT_APPLICABLE, "It closed no trade that costs could burden."
    if base["total_return"] <= 0:
        return Verdict.WARNING, "It makes nothing even with the costs as they are."
    for row in rows[1:]:
        if row.values is not None and (row.values["total_return"] or 0.0) <= 0:
            return Verdict.WARNING, f"Nothing is left of its return at {row.label} the costs."
    return Verdict.PASSED, f"It still makes money at {rows[-1].label} the costs."


def _parameters_result(
    specification: Specification,
    base: Mapping[str, Any],
    neighbors: Sequence[Neighbor],
    run: Callable[[Specification], AnyBacktest],
) -> CheckResult:
    rows = [Row("as it is", "", base)]
    for neighbor in neighbors:
        if neighbor.params is None:
            rows.append(Row(neighbor.title, neighbor.change, None, neighbor.reason))
            continue
        try:
            values = _shown(run(replace(specification, params=neighbor.params)))
        except WindowTooShortError:
            note = "Its longer warm-up leaves too few bars."
            rows.append(Row(neighbor.title, neighbor.change, None, note))
        else:
            rows.append(Row(neighbor.title, neighbor.change, values))
    verdict, sentence = _judge_neighbors(base, rows[1:])
    trials = sum(row.values is not None for row in rows[1:])
    return CheckResult(PARAMETERS, verdict, sentence, trials, rows=rows)


def _judge_neighbors(base: Mapping[str, Any], rows: Sequence[Row]) -> tuple[Verdict, str]:
    returns = [(row.values["total_return"] or 0.0, row) for row in rows if row.values is not None]
    if not returns:
        return Verdict.NOT_APPLICABLE, "It has no number that could be moved."
    if not base["trades"]:
        return Verdict.NOT_APPLICABLE, "It closed no trade to compare with."
    lowest, row = min(returns, key=lambda each: each[0])
    where = f"{row.label} {row.change}: {lowest:+.2%} instead of {base['total_return']:+.2%}"
    if base["total_return"] <= 0:
        return Verdict.WARNING, f"It makes nothing as it is; the worst neighbor is {where}."
    if lowest < base["total_return"] * _KEPT:
        return Verdict.WARNING, f"A small change takes more than half of its return: {where}."
    return Verdict.PASSED, f"Every neighbor keeps more than half of its return, at worst {where}."


def _sentence_of(violation: Violation) -> str:
    at = from_milliseconds(violation.open_time_ms)
    of_symbol = f" of {violation.symbol}" if violation.symbol else ""
    return (
        f"{violation.signal}{of_symbol} differs first at bar {violation.index:,} "
        f"({at:%Y-%m-%d %H:%M} UTC): {violation.expected} on the whole history, {violation.told} "
        f"with {violation.detail}."
    )


def _violation_json(violation: Violation | None) -> dict[str, Any] | None:
    if violation is None:
        return None
    return {
        "signal": violation.signal,
        "symbol": violation.symbol,
        "bar": violation.index,
        "at": from_milliseconds(violation.open_time_ms).isoformat().replace("+00:00", "Z"),
        "changed": violation.detail,
        "expected": violation.expected,
        "told": violation.told,
    }


def _shown(backtest: AnyBacktest) -> dict[str, float | int | None]:
    return {key: backtest.metrics.values[key] for key in SHOWN}


def _charges_times(charges: Charges, factor: int) -> Charges:
    return Charges(
        charges.maker_fee_bps * factor,
        charges.taker_fee_bps * factor,
        charges.slippage_bps * factor,
        charges.funding_bps,
    )


def _charges_words(charges: Charges) -> str:
    fees = f"{_plain(charges.maker_fee_bps)} / {_plain(charges.taker_fee_bps)}"
    return f"fees {fees} bps, slippage {_plain(charges.slippage_bps)} bps"


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _ignore(part: float) -> None:
    """Let nobody know about progress."""
