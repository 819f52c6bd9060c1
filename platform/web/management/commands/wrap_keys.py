"""``manage.py wrap_keys RING``: a ring of keys, wrapped by Vault."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from foundation.commands import PlatformCommand
from foundation.crypto.providers import VAULT_PREFIX, PlainKeys
from foundation.crypto.rings import FIELD_RING, PRIVATE_RING, join_ring, split_ring
from foundation.crypto.vault import VaultTransit


class Command(PlatformCommand):
    """Reads a ring from its standard input, for arguments are visible to everybody on the machine, and prints it wrapped."""

    help = (
        "Wrap the keys of a ring with Vault's transit engine (VAULT_ADDR, VAULT_TOKEN, "
        "VAULT_TRANSIT_KEY): wrap_keys API_ENCRYPTION_KEY < ring > wrapped"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("ring", choices=[PRIVATE_RING, FIELD_RING], metavar="RING")

    def handle(self, *, ring: str, **options: Any) -> None:
        """Wrap each key that is not, and print the whole ring."""
        vault = VaultTransit.from_settings()
        try:
            keys = split_ring(sys.stdin.read().strip())
        except ValueError:
            raise CommandError("Expected a ring such as 2:KEY,1:KEY on standard input.") from None
        if not keys:
            raise CommandError("Nothing was read; pass the ring on standard input.")
        wrapped = {
            version: stored
            if stored.startswith(VAULT_PREFIX)
            else vault.wrap(
                PlainKeys().unwrap(stored, ring=ring, version=version), ring=ring, version=version
            )
            for version, stored in keys.items()
        }
        self.stdout.write(join_ring(wrapped))
