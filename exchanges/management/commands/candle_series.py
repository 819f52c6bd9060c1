"""``manage.py candle_series``: which candles are stored."""

import sys
from argparse import ArgumentParser
from typing import Any

from exchanges.selectors import candles, instruments
from foundation.commands import REFUSED, PlatformCommand

_HEADER = ("market", "timeframe", "bars", "first", "last", "gaps", "missing")


class Command(PlatformCommand):
    """List the stored series, or check that every chunk can still be read."""

    help = "List the stored candles: market, timeframe, bars, first and last open time, gaps."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--venue", metavar="CODE", help="only this venue")
        parser.add_argument("--verify", action="store_true", help="read every chunk and compare")

    def handle(self, *, venue: str | None, verify: bool, **_: Any) -> None:
        """Print one line a series."""
        if venue is not None:
            instruments.get_venue(venue)
        rows = [
            (
                f"{line.instrument.venue.code}:{line.instrument.symbol}",
                line.timeframe.value,
                f"{line.row_count:,}",
                f"{line.first_open_at:%Y-%m-%d %H:%M:%S}",
                f"{line.last_open_at:%Y-%m-%d %H:%M:%S}",
                f"{line.gap_count:,}",
                f"{line.missing:,}",
            )
            for line in candles.series()
            if venue in {None, line.instrument.venue.code}
        ]
        widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
        for row in (_HEADER, *rows):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            self.stdout.write("  ".join(cells).rstrip())
        if verify:
            self._verify()

    def _verify(self) -> None:
        damaged = list(candles.damaged_chunks())
        for description in damaged:
            sys.stderr.write(f"error: corrupt_chunk: {description}\n")
        if damaged:
            sys.exit(REFUSED)
        self.stdout.write("All chunks can be read.")
