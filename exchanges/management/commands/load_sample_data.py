"""``manage.py load_sample_data``: the candles that ship with the platform."""

from typing import Any

from django.utils import timezone

from exchanges.management.reports import reporting
from exchanges.services import imports
from foundation.commands import PlatformCommand


class Command(PlatformCommand):
    """Ensure the venues that ship and import the sample candles; the second time nothing changes."""

    help = "Create the venues and instruments that ship, and import the sample candles."

    def handle(self, **_: Any) -> None:
        """Import all of it; the status is 1 if a file failed."""
        with reporting() as report:
            imports.import_sample_data(now=timezone.now(), on_outcome=report.add)
