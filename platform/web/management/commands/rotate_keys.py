"""``manage.py rotate_keys``: everything that is stored, brought to the newest key of its ring."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any, Final

from django.core.management.base import CommandError

from accounts.services.key_rotation import SECOND_FACTORS
from exchanges.services.key_rotation import CREDENTIALS, has_private_ring
from foundation.commands import PlatformCommand
from foundation.crypto import rotation
from foundation.crypto.rotation import Ring
from foundation.exclusive import only_one

_LARGEST_BATCH: Final = 5_000


class Command(PlatformCommand):
    """Rotates both rings; run it where the private ring is, such as beside the control worker.

    It may be killed and started again, and everything else goes on meanwhile. The status is 1 while anything still
    needs an older key.
    """

    help = (
        "Bring credentials and second factors to the newest keys; then the old keys can be removed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "--batch", type=_batch, default=500, metavar="ROWS", help="rows in a transaction (500)"
        )

    def handle(self, *, batch: int, **options: Any) -> None:
        """Rotate ring after ring."""
        with only_one("rotate_keys"):
            rings = [CREDENTIALS, SECOND_FACTORS] if has_private_ring() else [SECOND_FACTORS]
            if CREDENTIALS not in rings:
                self.stderr.write(
                    f"{CREDENTIALS.name} is not here: credentials are rotated where the control "
                    "worker runs"
                )
            finished = [self._rotate(ring, batch) for ring in rings]
        if len(rings) < 2 or not all(finished):
            raise CommandError("Something still needs an older key; keep it, and see above.")

    def _rotate(self, ring: Ring, batch: int) -> bool:
        newest, total = ring.newest(), rotation.outdated(ring)
        self.stdout.write(f"{ring.name}: {total} {ring.protects} need an older key than {newest}")

        def report(done: int) -> None:
            self.stdout.write(f"{ring.name}: {done} of {total} {ring.protects}")
            self.stdout.flush()

        result = rotation.rotate(ring, batch=batch, report=report)
        for key in result.broken:
            self.stderr.write(f"{ring.name}: row {key} of {ring.protects} does not open")
        self.stdout.write(
            f"{ring.name}: {result.rotated} {ring.protects} rotated, {result.outdated} need an older key"
        )
        return result.outdated == 0


def _batch(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LARGEST_BATCH:
        raise ArgumentTypeError(f"expected a number from 1 to {_LARGEST_BATCH}")
    return int(text)
