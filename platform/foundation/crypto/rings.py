"""Rings of keys: several versions at once, of which the newest seals."""

import base64
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

#: A version is two bytes of every envelope.
_HIGHEST_VERSION: Final = 0xFFFF


@lru_cache(maxsize=8)
def parse_ring(text: str) -> Mapping[int, bytes]:
    """Return the keys of ``version:base64[,version:base64]`` by version; a bare key is version 1.

    Raises ValueError for a version that is no number from 1 to 65535, or that appears twice.
    """
    ring: dict[int, bytes] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, separator, encoded = part.rpartition(":")
        version = int(name) if separator else 1
        if not 1 <= version <= _HIGHEST_VERSION or version in ring:
            raise ValueError(f"The key version {version} is out of range or appears twice.")
        ring[version] = base64.b64decode(encoded, validate=True)
    return MappingProxyType(ring)


def newest(ring: Mapping[int, bytes]) -> tuple[int, bytes]:
    """Return the version and key that new secrets are sealed with."""
    version = max(ring)
    return version, ring[version]
