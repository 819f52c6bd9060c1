"""``manage.py export_candles binance BTC/USDT --timeframe 1h --output btc.parquet``: candles into a file."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from exchanges.management.reports import stopping
from exchanges.selectors import instruments
from exchanges.services import exports
from foundation import arguments
from foundation.commands import InconsistentOptionsError, PlatformCommand
from market.timeframes import Timeframe, from_milliseconds, to_milliseconds

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FOREVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


class Command(PlatformCommand):
    """Write a stored series to a file; ``import_candles`` reads it back bit for bit."""

    help = "Write stored candles to a CSV or Parquet file, by the file's name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("venue", help="such as binance")
        parser.add_argument("symbol", help="such as BTC/USDT")
        parser.add_argument(
            "--timeframe", required=True, choices=[t.value for t in Timeframe], help="such as 1h"
        )
        parser.add_argument(
            "--output", required=True, type=Path, metavar="PATH", help=".csv or .parquet"
        )
        parser.add_argument("--since", type=arguments.instant, default=_EVER, help="a day")
        parser.add_argument(
            "--until", type=arguments.instant, default=_FOREVER, help="exclusive, a day"
        )
        parser.add_argument("--force", action="store_true", help="replace a file that is there")

    def handle(
        self,
        *,
        venue: str,
        symbol: str,
        timeframe: str,
        output: Path,
        since: datetime,
        until: datetime,
        force: bool,
        **_: Any,
    ) -> None:
        """Write the file, and say what is in it."""
        if since >= until:
            raise InconsistentOptionsError("--since is not before --until")
        instrument = instruments.get_instrument(venue, symbol.upper())
        with stopping(lambda: self.stderr.write("Stopped; nothing was written.")):
            done = exports.export_candles(
                output,
                instrument=instrument,
                timeframe=Timeframe(timeframe),
                from_ms=to_milliseconds(since),
                to_ms=to_milliseconds(until),
                may_replace=force,
            )
        first, last = from_milliseconds(done.first_open_ms), from_milliseconds(done.last_open_ms)
        self.stdout.write(
            f"{output}: {done.bars:,} bars of {venue}:{instrument.symbol} {timeframe} from "
            f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}, {done.bytes:,} bytes"
        )
