"""``manage.py seed_demo``: a person, accounts on the simulator, a backtest and a strategy at work."""

import os
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from foundation.commands import PlatformCommand
from market.errors import InvalidInputError
from web import demo


class Command(PlatformCommand):
    """Make the demo; the password comes from DEMO_PASSWORD, because arguments are visible to others."""

    help = "Make the demo person and what belongs to it; a repeat adds only what is missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "--email",
            default=os.environ.get("DEMO_EMAIL", "demo@example.com"),
            help="of the demo person",
        )

    def handle(self, *, email: str, **_: Any) -> None:
        """Make what is missing."""
        password = os.environ.get("DEMO_PASSWORD", "")
        if not password:
            raise InvalidInputError("Put the demo person's password into DEMO_PASSWORD.")
        demo.seed_demo(email=email, password=password, clock=timezone.now, say=self.stdout.write)
