"""``manage.py import_candles PATH… --venue CODE``: recorded candles into the store."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from exchanges.management.reports import reporting
from exchanges.selectors import instruments
from exchanges.services import catalogue, imports
from foundation.commands import PlatformCommand
from market.timeframes import Timeframe


class Command(PlatformCommand):
    """Import candle files, each whole or not at all; the second time nothing changes."""

    help = (
        "Import candles from CSV (timestamp,open,high,low,close,volume, or the kline layout that Binance "
        "publishes) and Parquet files or folders. Instrument and timeframe come from the path, "
        "<BASE-QUOTE>/<timeframe>.csv or BTCUSDT-1h-2024-01.csv, unless they are given."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
        parser.add_argument("--venue", required=True, metavar="CODE", help="such as binance")
        parser.add_argument(
            "--new-venue", action="store_true", help="create the venue (offline) if it is not known"
        )
        parser.add_argument("--symbol", metavar="BASE/QUOTE", help="instead of what the path says")
        parser.add_argument(
            "--timeframe", choices=[t.value for t in Timeframe], help="instead of the path's"
        )

    def handle(self, *, paths: list[Path], venue: str, **options: Any) -> None:
        """Import file after file; the status is 1 if one of them failed."""
        if options["new_venue"]:
            catalogue.create_offline_venue(venue)
        found = instruments.get_venue(venue)
        symbol, timeframe = options["symbol"], options["timeframe"]
        market = imports.parse_symbol(symbol, venue_code=venue) if symbol else None
        files = imports.find_files(paths)
        with reporting(total=len(files)) as report:
            for path in files:
                report.add(
                    imports.import_file(
                        path,
                        venue=found,
                        market=market,
                        timeframe=Timeframe(timeframe) if timeframe else None,
                        now=timezone.now(),
                    )
                )
