"""Secrets that only some processes can read: HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM."""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from foundation.crypto.envelopes import Header
from foundation.crypto.errors import SealBrokenError, SecretsUnavailableError
from foundation.crypto.rings import PRIVATE_RING, PUBLIC_RING, newest, open_ring
from foundation.crypto.values import SealedSecret, Secret, SecretContext

_MAGIC: Final = b"TPS"
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def seal(value: str, context: SecretContext) -> SealedSecret:
    """Return *value* sealed for its one place; any process can do this, none needs a private key."""
    version, key = newest(open_ring(PUBLIC_RING))
    header = Header(_MAGIC, version)
    public_key = X25519PublicKey.from_public_bytes(key)
    ciphertext = _SUITE.encrypt(value.encode("utf-8"), public_key, info=header.bind(context))
    return SealedSecret(header.encode() + ciphertext)


def open_sealed(sealed: bytes, context: SecretContext) -> Secret:
    """Return the secret that was sealed for *context*.

    Raises SecretsUnavailableError in a process without private keys, SealBrokenError for a value that was moved,
    changed, or sealed with a key that this ring does not hold, and KeyProviderError if what holds the key to the ring
    does not open it.
    """
    ring = open_ring(PRIVATE_RING)
    if not ring:
        raise SecretsUnavailableError
    header, ciphertext = Header.split(bytes(sealed), magic=_MAGIC)
    key = ring.get(header.key_version)
    if key is None:
        raise SealBrokenError
    try:
        private_key = X25519PrivateKey.from_private_bytes(key)
        value = _SUITE.decrypt(ciphertext, private_key, info=header.bind(context))
    except (InvalidTag, ValueError):
        # The cause would say which check failed, and a person can do nothing with it.
        raise SealBrokenError from None
    return Secret(value.decode("utf-8"))


def reseal(sealed: bytes, context: SecretContext) -> SealedSecret:
    """Return the same secret sealed with the newest public key, for the same place."""
    return seal(open_sealed(sealed, context).reveal(), context)


def sealed_with(sealed: bytes) -> int:
    """Return the version of the key that opens a sealed value; raise SealBrokenError for what is none."""
    return Header.split(bytes(sealed), magic=_MAGIC)[0].key_version


def newest_seal() -> int:
    """Return the version that new values are sealed with."""
    return newest(open_ring(PUBLIC_RING))[0]
