"""``manage.py backtest``: a strategy on recorded candles, computed in this process."""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.utils import timezone

from backtesting import exports, reports
from backtesting.management import arguments, files, text
from backtesting.models import BacktestRun, BacktestTrade, RunStatus
from backtesting.selectors import excursions
from backtesting.selectors import runs as selectors
from backtesting.services import execution, missing_history, runs, specifications, trials
from foundation.audit import Actor
from foundation.commands import PlatformCommand
from market.errors import ConflictError, FieldProblem, NotFoundError

_USAGE: Final = 2
_POLL_S: Final = 0.2


class Command(PlatformCommand):
    """Backtest a strategy and print what it came to."""

    help = "Backtest a strategy on the stored candles, with the same numbers as page and API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        arguments.declare(parser)

    def handle(self, *args: object, **options: Any) -> None:
        """Compute the run, for a person if one is named, and print it."""
        if options["from_at"] >= options["to_at"]:
            self.stderr.write("error: range_inverted: --from must be before --to")
            sys.exit(_USAGE)
        wanted = _wanted(options)
        if options["fetch"]:
            self._fetch(wanted)
        email = options["owner"]
        outcome = _stored(email, wanted) if email else self._tried_out(wanted)
        if options["html"]:
            files.write(options["html"], [outcome.report()])
        if options["json"]:
            self.stdout.write(json.dumps(outcome.to_json(), indent=2))
        else:
            self._print(outcome)

    def _tried_out(self, wanted: Mapping[str, Any]) -> "_Outcome":
        specification = specifications.specify(**wanted, now=timezone.now())
        backtest = trials.try_out(specification, progress=self._show_progress)
        if self.stderr.isatty():
            self.stderr.write("\r", ending="\r")
        trades = [execution.unsaved_trade(row) for row in backtest.trades()]
        run = execution.unsaved_run(
            specification=specification, backtest=backtest, now=timezone.now()
        )
        return _Outcome(wanted["market"] or wanted["universe"], run, trades)

    def _fetch(self, wanted: Mapping[str, Any]) -> None:
        """Fetch what is missing, and say on stderr what came and what cannot be had."""
        for found in missing_history.missing_for(wanted, now=timezone.now()):
            name = f"{found.symbol} {found.timeframe}"
            if not found.can_be_fetched:
                self.stderr.write(f"{name}: the exchange gives no candles; import them instead.")
                continue
            added = missing_history.fetch_here(found, clock=timezone.now)
            self.stderr.write(f"{name}: {added:,} of {found.bars:,} missing bars fetched.")

    def _show_progress(self, fraction: float) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{fraction:4.0%}", ending="")

    def _print(self, outcome: "_Outcome") -> None:
        quote = outcome.market.partition(",")[0].partition("/")[2].partition(":")[0]
        self.stdout.write(f"Effective start  {outcome.run.effective_from_at:%Y-%m-%d %H:%M} UTC")
        self.stdout.write(f"Trades           {len(outcome.trades)}")
        for caution in outcome.run.metrics["cautions"]:
            self.stdout.write(f"Caution          {caution}")
        if outcome.run.missing_bars:
            self.stdout.write(f"Missing bars     {outcome.run.missing_bars:,}, gaps in the candles")
        for line in text.metric_lines(outcome.run.metrics["values"], quote=quote):
            self.stdout.write(line)
        for line in text.interval_lines(outcome.run.metrics, quote=quote):
            self.stdout.write(line)
        for line in text.reason_lines(outcome.run.metrics["by_exit_reason"], quote=quote):
            self.stdout.write(line)
        for line in text.universe_lines(outcome.run.metrics.get("universe"), quote=quote):
            self.stdout.write(line)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What is printed of a run, stored or not."""

    market: str
    run: BacktestRun
    trades: Sequence[BacktestTrade]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; amounts are text."""
        metrics = self.run.metrics
        return {
            "market": self.market,
            "effective_from": reports.instant(self.run.effective_from_at),
            "missing_bars": self.run.missing_bars,
            "metrics": metrics["values"],
            "monthly_returns": metrics["monthly_returns"],
            "by_exit_reason": metrics["by_exit_reason"],
            "by_direction": metrics["by_direction"],
            "decisions": metrics["decisions"],
            "cautions": metrics["cautions"],
            "ambiguous_bars": metrics["ambiguous_bars"],
            "optimistic": metrics["optimistic"],
            "universe": metrics.get("universe"),
            "trades": [reports.present_trade(trade) for trade in self.trades],
        }

    def report(self) -> str:
        """Return it as one HTML file."""
        return exports.report(self.run, self.trades, excursions.of_trades(self.trades))


def _stored(email: str, wanted: Mapping[str, Any]) -> _Outcome:
    people = get_user_model()
    owner = people.objects.filter(email=email.strip().lower()).first()
    if owner is None:
        raise NotFoundError("Nobody is registered with this address.")
    by = Actor.system("backtest command")
    run = runs.request_run(owner=owner, **wanted, by=by, now=timezone.now())
    execution.execute_run(run_id=run.pk)
    # A worker may have been quicker to claim it; then its result is waited for.
    while not run.is_finished:
        run = selectors.get_run_for(owner, public_id=run.public_id)
        if not run.is_finished:
            time.sleep(_POLL_S)
    if run.status != RunStatus.DONE:
        code = run.error_code or "canceled"
        message = run.error_message or "The run was canceled."
        raise ConflictError(message, problems=[FieldProblem("run", code, message)])
    trades = selectors.trades_of(run)
    return _Outcome(wanted["market"] or wanted["universe"], run, trades)


def _wanted(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "strategy_slug": options["strategy"],
        "market": options["market"],
        "universe": options["universe"],
        "timeframe": options["timeframe"],
        "from_at": options["from_at"],
        "to_at": options["to_at"],
        "parameters": arguments.parameters_of(options),
        "parameters_are_text": True,
        "capital": options["capital"],
        "fee_bps": options["fee_bps"],
        "slippage_bps": options["slippage_bps"],
        "funding_bps": options["funding_bps"],
    }
