"""``manage.py up``: the whole platform on this machine."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from django.core.management.base import BaseCommand

from foundation.processes.errors import StartError
from foundation.processes.local_platform import Wishes, run_platform

_CHECKOUT = Path(__file__).resolve().parents[4]


class Command(BaseCommand):
    """Start every process, and keep it running until Ctrl+C."""

    help = "Start servers, web, workers, beat and the simulator here, and stop all of it on Ctrl+C."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--port", type=_port, default=8000, help="of the pages (default: 8000)")
        parser.add_argument("--no-demo", action="store_true", help="leave the database as it is")
        parser.add_argument(
            "--follow-parent",
            action="store_true",
            help="stop when the process that started this ends",
        )

    def handle(self, *, port: int, no_demo: bool, follow_parent: bool, **_: object) -> None:
        """Run until told to stop; a refused start prints its code and ends with its exit status."""
        wishes = Wishes(port=port, demo=not no_demo, follows_parent=follow_parent)
        try:
            run_platform(_CHECKOUT, wishes)
        except StartError as error:
            self.stderr.write(f"error: {error.code}: {error.message}")
            sys.exit(error.exit_status)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise ArgumentTypeError(f"expected a port from 1 to 65535, got '{text}'")
    return int(text)
