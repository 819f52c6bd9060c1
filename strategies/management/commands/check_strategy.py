"""``manage.py check_strategy``: proves that a strategy uses nothing that it could not have known."""

import sys
from argparse import ArgumentParser
from typing import Final

from foundation.commands import REFUSED, PlatformCommand
from market.timeframes import Timeframe, from_milliseconds
from strategies import causality, registry
from strategies.causality import History, MarketHistory, UniverseHistory
from strategies.shapes import Requirements

#: Bars of the generated market behind twice the warm-up, which the checks cannot speak about.
_BARS: Final = 600


class Command(PlatformCommand):
    """Try a strategy on a generated market, and report the first bar that gives it away."""

    help = "Check that a strategy is causal: no look at later bars, and a warm-up that is enough."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("slug", help="the strategy, such as ema-crossover")
        parser.add_argument(
            "--seed", type=int, default=20240101, help="another number is another market"
        )

    def handle(self, *args: object, slug: str, seed: int, **options: object) -> None:
        """Run the checks; a violation ends with exit status 1."""
        definition = registry.get_definition(slug)
        params = definition.default_params()
        history = _history(definition.requirements(params), definition.timeframe, seed)
        findings = causality.examine(definition, params, history)
        violations = [each.violation for each in findings if each.violation is not None]
        found = {violation.check: violation for violation in violations}
        for check in causality.Check:
            violation = found.get(check)
            if violation is None:
                self.stdout.write(f"ok      {check}")
                continue
            at = from_milliseconds(violation.open_time_ms)
            self.stdout.write(
                f"FAILED  {check}: {violation.signal} differs first at bar {violation.index} "
                f"({at:%Y-%m-%d %H:%M}) with {violation.detail}"
            )
        if violations:
            self.stderr.write(f"error: not_causal: {definition.name} is not causal.")
            sys.exit(REFUSED)
        self.stdout.write(f"{definition.name} is causal on {len(history)} bars.")


def _history(requirements: Requirements, timeframe: Timeframe, seed: int) -> History:
    if requirements.needs_universe:
        bars = 2 * requirements.bars(Timeframe.H1) + _BARS
        return UniverseHistory(causality.generated_universe(bars, seed=seed))
    bars = 2 * requirements.bars(timeframe) + _BARS
    return MarketHistory(
        causality.generated_candles(bars, seed=seed, timeframe=timeframe), timeframe
    )
