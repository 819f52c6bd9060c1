"""``manage.py export_backtest``: a stored run as a file."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model

from backtesting import exports, reports
from backtesting.management import files
from backtesting.models import BacktestRun
from backtesting.selectors import runs as selectors
from foundation.commands import PlatformCommand
from market.errors import NotFoundError

#: What may be asked for, and what writes it.
FORMATS: Final[Mapping[str, Callable[[BacktestRun], Iterable[str]]]] = {
    "html": lambda run: [exports.stored_report(run)],
    "json": exports.document,
    "trades": reports.trades_csv,
    "equity": exports.equity_csv,
}


class Command(PlatformCommand):
    """Write what a run came to into a file."""

    help = "Export a finished backtest as an HTML report, as JSON, or its trades or equity as CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("run", type=UUID, help="the id of the backtest, as in its address")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="whose backtest it is")
        parser.add_argument("--format", choices=tuple(FORMATS), default="html")
        parser.add_argument("--output", required=True, metavar="PATH")

    def handle(self, *args: object, **options: Any) -> None:
        """Find the run and write the file."""
        owner = get_user_model().objects.filter(email=options["owner"].strip().lower()).first()
        if owner is None:
            raise NotFoundError("Nobody is registered with this address.")
        run = selectors.get_run_for(owner, public_id=options["run"])
        reports.require_done(run)
        files.write(options["output"], FORMATS[options["format"]](run))
        self.stdout.write(f"Written to {options['output']}")
