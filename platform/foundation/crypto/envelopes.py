"""The first bytes of every stored secret: what it is, and which key opens it."""

from dataclasses import dataclass
from typing import Final, Self

from foundation.crypto.errors import SealBrokenError
from foundation.crypto.values import SecretContext

_FORMAT: Final = 1
_HEADER_BYTES: Final = 6


@dataclass(frozen=True, slots=True)
class Header:
    """Three bytes of magic, the format, and the version of the key in two bytes."""

    magic: bytes
    key_version: int

    def encode(self) -> bytes:
        """Return the six bytes that precede the ciphertext."""
        return self.magic + bytes([_FORMAT]) + self.key_version.to_bytes(2, "big")

    def bind(self, context: SecretContext) -> bytes:
        """Return what the ciphertext is bound to: this header and its place."""
        return b"trading-platform secret\x00" + self.encode() + context.canonical()

    @classmethod
    def split(cls, envelope: bytes, *, magic: bytes) -> tuple[Self, bytes]:
        """Return the header and the ciphertext; raise SealBrokenError for anything else."""
        start = magic + bytes([_FORMAT])
        if len(envelope) <= _HEADER_BYTES or not envelope.startswith(start):
            raise SealBrokenError
        version = int.from_bytes(envelope[len(start) : _HEADER_BYTES], "big")
        return cls(magic, version), envelope[_HEADER_BYTES:]
