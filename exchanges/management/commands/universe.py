"""``manage.py universe binance --quote USDT --min-volume 1000000``: which markets are worth looking at."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.utils import timezone

from exchanges.domain.universe import MOST_MARKETS, Chosen, filter_of, written
from exchanges.selectors import instruments
from exchanges.selectors import universe as universes
from exchanges.services import quotes
from foundation import arguments
from foundation.commands import InconsistentOptionsError, PlatformCommand


class Command(PlatformCommand):
    """Print the markets that fit, written as a universe that backtests and sweeps take."""

    help = (
        "Choose markets of an exchange by volume, age, price, spread and volatility, and print them "
        "as a universe. With --at only what was known then counts; without it the latest quotes do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("venue", help="such as binance")
        parser.add_argument("--quote", default="", help="only markets quoted in this, such as USDT")
        for flag, words in (
            ("--min-volume", "of a day, in quote"),
            ("--min-age-days", "since it began to trade"),
            ("--min-price", "in quote"),
            ("--max-price", "in quote"),
            ("--max-spread-bps", "between bid and ask, 0.01 %% each"),
            ("--min-volatility", "standard deviation of daily returns, 0.02 is 2 %%"),
            ("--max-volatility", "the same, at most"),
        ):
            parser.add_argument(flag, type=float, help=words)
        parser.add_argument("--only", default="", metavar="SYMBOLS", help="a white list, by commas")
        parser.add_argument("--without", default="", metavar="SYMBOLS", help="a black list")
        parser.add_argument("--with-leveraged", action="store_true", help="keep leveraged tokens")
        parser.add_argument("--with-stable", action="store_true", help="keep stable pairs")
        parser.add_argument("--top", type=int, help="so many with the largest volume")
        parser.add_argument(
            "--at", type=arguments.instant, help="as it was then: a day or ISO 8601"
        )
        parser.add_argument(
            "--refresh", action="store_true", help="ask the exchange for prices first"
        )
        parser.add_argument("--explain", action="store_true", help="say why each other is left out")
        parser.add_argument("--json", action="store_true", help="print everything as one object")

    def handle(self, *, venue: str, at: datetime | None, refresh: bool, **options: Any) -> None:
        """Print the universe."""
        now = timezone.now()
        if at is not None and (at > now or refresh):
            raise InconsistentOptionsError("--at lies in the past, and --refresh is about now")
        if options["top"] is not None and not 1 <= options["top"] <= MOST_MARKETS:
            raise InconsistentOptionsError(f"--top is from 1 to {MOST_MARKETS:,}")
        if refresh:
            quotes.refresh_venue(venue=instruments.get_venue(venue), now=now)
        chosen = universes.choose_at(venue, filter_of(options), at=at or now, now=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps(_document(venue, chosen), indent=2))
            return
        self.stdout.write(written(venue, chosen))
        self.stderr.write(f"{len(chosen.symbols):,} fit, {len(chosen.refused):,} do not.")
        if options["explain"]:
            for symbol, reason in chosen.refused.items():
                self.stderr.write(f"  {symbol}: {reason}")


def _document(venue: str, chosen: Chosen) -> dict[str, Any]:
    return {
        "universe": written(venue, chosen),
        "markets": [asdict(market) for market in chosen.markets],
        "refused": dict(chosen.refused),
    }
