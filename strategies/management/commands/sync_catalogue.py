"""``manage.py sync_catalogue``: writes down as rows what the code offers, strategies and plans."""

from django.utils import timezone

from billing.services import products
from foundation.commands import PlatformCommand
from strategies.services import catalogue


class Command(PlatformCommand):
    """Bring the catalogue in line with the code, and add the plans that are missing."""

    help = "Bring the catalogue in line with the installed strategies, and add missing plans."

    def handle(self, *args: object, **options: object) -> None:
        """Synchronise, and say what changed."""
        changes = catalogue.sync_catalogue(now=timezone.now())
        plans = products.sync_plans(now=timezone.now())
        for slug in changes.added:
            self.stdout.write(f"added     {slug}")
        for slug, number in changes.released:
            self.stdout.write(f"released  {slug} version {number}")
        for slug in changes.withdrawn:
            self.stdout.write(f"withdrawn {slug}")
        for code in plans:
            self.stdout.write(f"added     {code}")
        if not (plans or changes.added or changes.released or changes.withdrawn):
            self.stdout.write("The catalogue is up to date.")
