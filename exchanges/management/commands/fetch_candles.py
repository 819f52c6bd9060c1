"""``manage.py fetch_candles binance BTC/USDT --timeframe 1h --since 2021-01-01``: history from its venue."""

import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.utils import timezone

from exchanges.management.fetching import FetchReport
from exchanges.management.reports import stopping
from exchanges.models import Instrument
from exchanges.services import backfill, catalogue, funding
from foundation import arguments
from foundation.commands import InconsistentOptionsError, PlatformCommand
from market.enums import InstrumentKind
from market.timeframes import Timeframe, to_milliseconds


class Command(PlatformCommand):
    """Fetch what is missing of one or more series; stopped, the same command goes on where it was."""

    help = (
        "Fetch closed candles from an exchange: only bars that are not stored yet, within its rate "
        "limits, after everything that trades. Stop it with Ctrl-C and run it again as you like."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("venue", help="such as binance")
        parser.add_argument("symbols", nargs="+", metavar="SYMBOL", help="such as BTC/USDT")
        parser.add_argument(
            "--timeframe", required=True, choices=[t.value for t in Timeframe], help="such as 1h"
        )
        parser.add_argument(
            "--since", required=True, type=arguments.instant, help="a day or ISO 8601, in UTC"
        )
        parser.add_argument(
            "--until", type=arguments.instant, help="exclusive, the same way (default: now)"
        )
        parser.add_argument(
            "--funding", action="store_true", help="of swaps: fetch their funding rates as well"
        )

    def handle(
        self,
        *,
        venue: str,
        symbols: list[str],
        timeframe: str,
        since: datetime,
        until: datetime | None,
        funding: bool,
        **_: Any,
    ) -> None:
        """Fetch one series after the other."""
        now = timezone.now()
        until = min(until or now, now)
        if since >= until:
            raise InconsistentOptionsError("--since is not before --until or now")
        found = [
            catalogue.find_at_venue(venue_code=venue, symbol=symbol, now=now)
            for symbol in dict.fromkeys(symbols)
        ]
        for instrument in found:
            self._fetch(instrument, Timeframe(timeframe), since, until)
            if funding and instrument.kind != InstrumentKind.SPOT:
                self._fetch_funding(instrument, since)

    def _fetch(
        self, instrument: Instrument, timeframe: Timeframe, since: datetime, until: datetime
    ) -> None:
        from_ms, to_ms = to_milliseconds(since), to_milliseconds(until)
        name = f"{instrument.venue.code}:{instrument.symbol} {timeframe}"
        report = FetchReport(sys.stdout, name=name, from_ms=from_ms, to_ms=to_ms)
        with stopping(report.interrupt):
            done = backfill.fetch_missing(
                instrument=instrument,
                timeframe=timeframe,
                from_ms=from_ms,
                to_ms=to_ms,
                clock=timezone.now,
                on_progress=report.add,
            )
            report.conclude(done)

    def _fetch_funding(self, instrument: Instrument, since: datetime) -> None:
        added = funding.fetch_funding(instrument=instrument, since=since, now=timezone.now())
        self.stdout.write(f"{instrument.venue.code}:{instrument.symbol}: {added:,} new rates.")
