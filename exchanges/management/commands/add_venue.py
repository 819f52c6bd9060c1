"""``manage.py add_venue coinbase``: an exchange for market data and paper, by its name in ccxt."""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from exchanges.services import catalogue
from foundation.commands import PlatformCommand


class Command(PlatformCommand):
    """Ask an exchange for which the platform has no pack what trades there, and list it."""

    help = (
        "Add an exchange that ccxt knows and the platform sends no orders to: its public data are "
        "read, and paper accounts trade on them. No key is ever taken for it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("ccxt_id", help="its name in ccxt, such as coinbase")

    def handle(self, *, ccxt_id: str, **_: Any) -> None:
        """Add it and say what trades there."""
        outcome = catalogue.add_data_venue(ccxt_id, now=timezone.now())
        self.stdout.write(
            f"{ccxt_id}: {outcome.created} markets added, {outcome.changed} changed. "
            "Market data and paper only."
        )
