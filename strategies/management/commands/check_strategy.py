"""``manage.py check_strategy``: proves that a strategy uses nothing that it could not have known."""

import sys
from argparse import ArgumentParser
from typing import Final

from foundation.commands import REFUSED, PlatformCommand
from market.candles import Candles
from market.timeframes import Timeframe, from_milliseconds
from strategies import causality, registry

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
        candles = _market(definition.requirements(params).bars(Timeframe.H1), seed)
        violations = causality.check_causality(definition, params, candles, Timeframe.H1)
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
        self.stdout.write(f"{definition.name} is causal on {len(candles)} bars.")


def _market(warm_up_bars: int, seed: int) -> Candles:
    return causality.generated_candles(2 * warm_up_bars + _BARS, seed=seed)
