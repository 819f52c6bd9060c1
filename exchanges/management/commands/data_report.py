"""``manage.py data_report``: how whole the stored candles are."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any, Final

from exchanges.management.reports import stopping
from exchanges.selectors import held, instruments
from exchanges.selectors.held import HeldFilter, HeldSeries, HeldTotal, Trouble
from foundation.commands import PlatformCommand
from market.timeframes import Timeframe

_HEADER: Final = (
    "market",
    "timeframe",
    "first",
    "last",
    "bars",
    "coverage",
    "missing",
    "gaps",
    "confirmed",
    "revised",
    "refused",
    "MiB",
    "feed",
)
_MIB: Final = 2**20


class Command(PlatformCommand):
    """Say of every stored series what is there, what is missing, what was revised and what it takes."""

    help = (
        "Report coverage, gaps, revisions and size of the stored candles. Gaps count as confirmed "
        "when the exchange itself does not have the bars."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--venue", default="", metavar="CODE", help="only this venue")
        parser.add_argument("--symbol", default="", help="only symbols with this in them")
        parser.add_argument("--timeframe", default="", choices=[t.value for t in Timeframe])
        parser.add_argument(
            "--only", choices=[each.value for each in Trouble], help="only series with this trouble"
        )
        parser.add_argument("--sort", default="market", choices=list(held.ORDERS))
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, venue: str, only: str | None, sort: str, **options: Any) -> None:
        """Print one line a series and the sums."""
        if venue:
            instruments.get_venue(venue)
        wanted = HeldFilter(
            venue=venue,
            symbol=options["symbol"],
            timeframe=options["timeframe"],
            trouble=Trouble(only) if only else None,
        )
        rows, total = held.held_series(wanted, order=sort), held.held_total(wanted)
        with stopping(lambda: None):
            if options["json"]:
                self.stdout.write(json.dumps(_document(rows, total), indent=2))
            else:
                self._print(rows, total)

    def _print(self, rows: Sequence[HeldSeries], total: HeldTotal) -> None:
        lines = [_HEADER, *map(_cells, rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
            self.stdout.write("  ".join(cells).rstrip())
        self.stdout.write(
            f"{total.series:,} series, {total.bars:,} bars, {total.missing:,} missing, "
            f"{total.behind:,} behind, {total.bytes / _MIB:,.1f} MiB"
        )


def _cells(row: HeldSeries) -> tuple[str, ...]:
    feed = "behind" if row.behind_since_at else "followed" if row.is_followed else "-"
    return (
        row.market,
        row.timeframe.value,
        f"{row.first_open_at:%Y-%m-%d %H:%M}",
        f"{row.last_open_at:%Y-%m-%d %H:%M}",
        f"{row.bars:,}",
        # A part of one bar in a million is not all of them.
        f"{min(row.coverage, 0.9999 if row.missing else 1.0):.2%}",
        f"{row.missing:,}",
        f"{row.gap_count:,}",
        f"{row.confirmed_gaps:,}",
        f"{row.revisions:,}",
        f"{row.refused:,}",
        f"{row.bytes / _MIB:,.2f}",
        feed,
    )


def _document(rows: Sequence[HeldSeries], total: HeldTotal) -> dict[str, Any]:
    return {
        "series": [
            {
                "venue": row.venue_code,
                "symbol": row.symbol,
                "timeframe": row.timeframe.value,
                "first_open_at": row.first_open_at.isoformat(),
                "last_open_at": row.last_open_at.isoformat(),
                "bars": row.bars,
                "missing": row.missing,
                "gaps": row.gap_count,
                "confirmed_gaps": row.confirmed_gaps,
                "revisions": row.revisions,
                "refused": row.refused,
                "bytes": row.bytes,
                "is_followed": row.is_followed,
                "behind_since_at": row.behind_since_at and row.behind_since_at.isoformat(),
            }
            for row in rows
        ],
        "total": {
            "series": total.series,
            "bars": total.bars,
            "missing": total.missing,
            "bytes": total.bytes,
            "behind": total.behind,
        },
    }
