"""Rings of keys: several versions at once, of which the newest seals."""

import logging
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from django.conf import settings

from foundation.crypto.providers import VAULT_PREFIX, provider_of
from market.errors import PlatformError

logger = logging.getLogger(__name__)

#: The ring that opens credentials of exchange accounts, the public keys that seal them, and the ring of other fields.
PRIVATE_RING: Final = "API_ENCRYPTION_KEY"
PUBLIC_RING: Final = "API_ENCRYPTION_PUBLIC_KEY"
FIELD_RING: Final = "FIELD_ENCRYPTION_KEY"

#: A version is two bytes of every envelope.
_HIGHEST_VERSION: Final = 0xFFFF


def split_ring(text: str) -> Mapping[int, str]:
    """Return what is stored for each version of ``version:key[,version:key]``; a bare key is version 1.

    Raises ValueError for a version that is no number from 1 to 65535, or that appears twice.
    """
    ring: dict[int, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, separator, stored = part.partition(":")
        if not separator or part.startswith(VAULT_PREFIX):
            name, stored = "1", part
        version = int(name)
        if not 1 <= version <= _HIGHEST_VERSION or version in ring:
            raise ValueError(f"The key version {version} is out of range or appears twice.")
        ring[version] = stored
    return MappingProxyType(ring)


def open_ring(name: str) -> Mapping[int, bytes]:
    """Return the keys of the ring in the setting *name*, by version; empty in a process that does not hold it.

    What is wrapped is unwrapped the first time, which asks somebody over the network, and kept for the process; so
    processes that serve open their rings when they start.
    Raises ValueError, SealBrokenError or KeyProviderError.
    """
    return _opened(name, str(getattr(settings, name)))


def open_rings_at_start(*names: str) -> None:
    """Open rings before a process serves or forks: afterwards, and in its children, nobody has to be asked."""
    for name in names:
        try:
            open_ring(name)
        except PlatformError as error:
            # Whoever needs the ring tries again, and says what failed for it.
            logger.warning("keys.not_opened", extra={"ring": name, "code": error.code})


def join_ring(ring: Mapping[int, str]) -> str:
    """Return a ring as its variable has it, the newest version first."""
    return ",".join(f"{version}:{ring[version]}" for version in sorted(ring, reverse=True))


def newest(ring: Mapping[int, bytes]) -> tuple[int, bytes]:
    """Return the version and key that new secrets are sealed with."""
    version = max(ring)
    return version, ring[version]


@lru_cache(maxsize=8)
def _opened(name: str, text: str) -> Mapping[int, bytes]:
    return MappingProxyType(
        {
            version: provider_of(stored).unwrap(stored, ring=name, version=version)
            for version, stored in split_ring(text).items()
        }
    )
