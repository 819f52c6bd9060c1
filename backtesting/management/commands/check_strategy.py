"""``manage.py check_strategy``: what speaks against a strategy, with the evidence."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone

from backtesting.domain.checks import CheckReport, CheckResult
from backtesting.domain.verdicts import Verdict
from backtesting.management import arguments
from backtesting.services import trials
from foundation.commands import REFUSED, PlatformCommand
from market.errors import InvalidInputError
from strategies import registry

_WORDS: Final[Mapping[Verdict, str]] = {
    Verdict.PASSED: "ok",
    Verdict.WARNING: "warning",
    Verdict.FAILED: "FAILED",
    Verdict.NOT_APPLICABLE: "none",
}
#: Together they say which stored candles; without any of them the bars are generated.
_STORED: Final = ("market", "timeframe", "from_at", "to_at")


class Command(PlatformCommand):
    """Put a strategy to every check, on stored or on generated candles."""

    help = (
        "Check a strategy: looks at the future, warm-up, costs, neighboring parameters. On generated "
        "bars, or on stored candles if a market, a timeframe and a window are given."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("slug", help="the strategy, such as ema-crossover")
        parser.add_argument("--market", help="such as binance:BTC/USDT")
        parser.add_argument("--timeframe", help="such as 4h; generated bars: 1h if that suits")
        arguments.declare_window(parser, is_required=False)
        arguments.declare_parameters(parser, flag="--set")
        parser.add_argument(
            "--seed", type=int, default=20240101, help="another number is another generated market"
        )
        parser.add_argument("--json", action="store_true", help="print everything as one object")

    def handle(self, *args: object, **options: Any) -> None:
        """Run the checks; a violation ends with exit status 1."""
        definition = registry.get_definition(options["slug"])
        parameters = arguments.parameters_of(options)
        given = [name for name in _STORED if options[name] is not None]
        if given in ([], ["timeframe"]):
            report = trials.check_on_generated(
                definition=definition,
                params=registry.params_from_text(definition, parameters),
                timeframe=options["timeframe"],
                seed=options["seed"],
            )
        elif len(given) == len(_STORED):
            report = trials.check_on_stored(
                strategy_slug=definition.slug,
                parameters=parameters,
                now=timezone.now(),
                **{name: options[name] for name in _STORED},
            )
        else:
            raise InvalidInputError("Give --market, --timeframe, --from and --to, or no market.")
        self._print(definition.name, report, as_json=options["json"])
        if report.verdict is Verdict.FAILED:
            self.stderr.write(f"error: not_causal: {definition.name} is not causal.")
            sys.exit(REFUSED)

    def _print(self, name: str, report: CheckReport, *, as_json: bool) -> None:
        if as_json:
            said = {"verdict": report.verdict.value, "bars": report.bar_count}
            self.stdout.write(json.dumps({**said, "checks": report.to_json()}, indent=2))
            return
        for result in report.results:
            self._print_result(result)
        self.stdout.write(f"{name}, {report.bar_count:,} bars: {report.verdict.value}")

    def _print_result(self, result: CheckResult) -> None:
        word = _WORDS[result.verdict]
        self.stdout.write(f"{word:<9}{result.check:<12}{result.trials:>4}  {result.sentence}")
        for row in result.rows:
            if row.values is None:
                self.stdout.write(f"{'':<11}{row.label}, {row.change}: {row.note}")
                continue
            total, fall = row.values["total_return"], row.values["max_drawdown"]
            label = f"{row.label}, {row.change}" if row.change else row.label
            self.stdout.write(
                f"{'':<11}{label:<58}{total or 0.0:>+9.2%}  drawdown {fall or 0.0:>7.2%}  "
                f"trades {row.values['trades']}"
            )
