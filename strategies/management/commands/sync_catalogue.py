"""``manage.py sync_catalogue``: writes the registry of strategies down as rows."""

from django.utils import timezone

from foundation.commands import PlatformCommand
from strategies.services import catalogue


class Command(PlatformCommand):
    """Bring the catalogue in line with the code."""

    help = "Bring the rows of the catalogue in line with the strategies that are installed."

    def handle(self, *args: object, **options: object) -> None:
        """Synchronise, and say what changed."""
        changes = catalogue.sync_catalogue(now=timezone.now())
        for slug in changes.added:
            self.stdout.write(f"added     {slug}")
        for slug, number in changes.released:
            self.stdout.write(f"released  {slug} version {number}")
        for slug in changes.withdrawn:
            self.stdout.write(f"withdrawn {slug}")
        if not (changes.added or changes.released or changes.withdrawn):
            self.stdout.write("The catalogue is up to date.")
