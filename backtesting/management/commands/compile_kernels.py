"""``manage.py compile_kernels``: compile the engine and the strategies for this version and this machine."""

from typing import Any

from django.core.management.base import BaseCommand

from backtesting import kernels


class Command(BaseCommand):
    """Compile now what workers would compile at their start."""

    help = "Compile engine, indicators and strategies, for instance while an image is built."

    def handle(self, *args: object, **options: Any) -> None:
        """Compile everything, and name what could not be tried."""
        for message in kernels.compile_all():
            self.stderr.write(message)
        self.stdout.write("All kernels are compiled.")
