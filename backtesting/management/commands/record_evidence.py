"""``manage.py record_evidence``: backtests for the catalogue, computed in this process."""

from argparse import ArgumentParser
from collections.abc import Sequence

from django.utils import timezone

from backtesting.services import evidence
from foundation.audit import Actor
from foundation.commands import PlatformCommand
from strategies.selectors import catalogue


class Command(PlatformCommand):
    """Backtest strategies with their defaults, and show the result in the catalogue."""

    help = "Backtest offered strategies on recorded candles, for the catalogue to show."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "slugs", nargs="*", help="the strategies; without any, all offered ones"
        )
        parser.add_argument("--market", help="such as binance:BTC/USDT; chosen if not given")
        parser.add_argument("--timeframe", help="such as 4h; chosen if not given")

    def handle(
        self,
        *args: object,
        slugs: Sequence[str],
        market: str | None,
        timeframe: str | None,
        **options: object,
    ) -> None:
        """Compute each, and say over which market and time."""
        for slug in slugs or [each.slug for each in catalogue.active_strategies()]:
            try:
                row = evidence.record_evidence(
                    strategy_slug=slug,
                    market=market,
                    timeframe=timeframe,
                    by=Actor.system("record_evidence"),
                    now=timezone.now(),
                )
            except evidence.NothingToShowError as error:
                if slugs:
                    raise
                self.stdout.write(f"{slug}: {error.message}")
                continue
            result = row.metrics["values"]["total_return"]
            self.stdout.write(
                f"{slug}: {row.instrument} {row.timeframe}, {row.effective_from_at:%Y-%m-%d} to "
                f"{row.to_at:%Y-%m-%d}, {row.bar_count} bars, {result:+.2%}"
            )
