"""Where the keys of a ring come from: as they are, or wrapped by somebody who holds the key to them.

What a ring's variable names is opened once per process, and then kept: opening a credential asks nobody.
"""

import base64
import binascii
from typing import Final, Protocol

from foundation.crypto.errors import SealBrokenError

#: How a key begins that Vault's transit engine has wrapped.
VAULT_PREFIX: Final = "vault:"


class KeyProvider(Protocol):
    """Turns what is stored for a key into the key, and back; bound to the name of its ring and its version."""

    def wrap(self, key: bytes, *, ring: str, version: int) -> str:
        """Return *key* as it may be stored."""
        ...

    def unwrap(self, stored: str, *, ring: str, version: int) -> bytes:
        """Return the key; raise SealBrokenError or KeyProviderError."""
        ...


class PlainKeys:
    """Keys that stand in the environment, or in a file, in base64."""

    def wrap(self, key: bytes, *, ring: str, version: int) -> str:
        """Return *key* in base64."""
        return base64.b64encode(key).decode("ascii")

    def unwrap(self, stored: str, *, ring: str, version: int) -> bytes:
        """Return the bytes."""
        try:
            return base64.b64decode(stored, validate=True)
        except binascii.Error:
            raise SealBrokenError from None


def provider_of(stored: str) -> KeyProvider:
    """Return who can open what is stored for a key."""
    if not stored.startswith(VAULT_PREFIX):
        return PlainKeys()
    # Most processes hold plain keys and speak to no Vault: they do without its client.
    from foundation.crypto.vault import VaultTransit  # noqa: PLC0415

    return VaultTransit.from_settings()
