"""``manage.py sync_catalogue``: writes down as rows what the code offers, strategies and plans."""

from django.utils import timezone

from billing.services import products
from foundation.commands import PlatformCommand
from strategies import registry
from strategies.services import catalogue


class Command(PlatformCommand):
    """Bring the catalogue in line with the code, and add the plans that are missing."""

    help = "Bring the catalogue in line with the installed strategies, and add missing plans."

    def handle(self, *args: object, **options: object) -> None:
        """Synchronise, and say what changed and which installed packages cannot be used."""
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
        for entry in registry.broken_entries():
            self.stderr.write(f"broken    {entry.name} ({entry.package}): {entry.reason}")
        if not (plans or changes.added or changes.released or changes.withdrawn):
            self.stdout.write("The catalogue is up to date.")
