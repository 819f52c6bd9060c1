"""Secrets that every process can read, the web process included: AES-256-GCM with the place as associated data."""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from foundation.crypto.envelopes import Header
from foundation.crypto.errors import SealBrokenError
from foundation.crypto.rings import FIELD_RING, newest, open_ring
from foundation.crypto.values import SealedSecret, Secret, SecretContext

_MAGIC: Final = b"TPF"
_NONCE_BYTES: Final = 12


def encrypt(value: str, context: SecretContext) -> SealedSecret:
    """Return *value* encrypted for its one place, with a fresh random nonce."""
    version, key = newest(open_ring(FIELD_RING))
    header = Header(_MAGIC, version)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    ciphertext = AESGCM(key).encrypt(nonce, value.encode("utf-8"), header.bind(context))
    return SealedSecret(header.encode() + nonce + ciphertext)


def decrypt(sealed: bytes, context: SecretContext) -> Secret:
    """Return the secret that was encrypted for *context*; raise SealBrokenError for any other value."""
    header, body = Header.split(bytes(sealed), magic=_MAGIC)
    key = open_ring(FIELD_RING).get(header.key_version)
    if key is None:
        raise SealBrokenError
    nonce, ciphertext = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
    try:
        value = AESGCM(key).decrypt(nonce, ciphertext, header.bind(context))
    except (InvalidTag, ValueError):
        # The cause would say which check failed, and a person can do nothing with it.
        raise SealBrokenError from None
    return Secret(value.decode("utf-8"))


def encrypted_with(sealed: bytes) -> int:
    """Return the version of the key that decrypts a value; raise SealBrokenError for what is none."""
    return Header.split(bytes(sealed), magic=_MAGIC)[0].key_version


def newest_encryption() -> int:
    """Return the version that new values are encrypted with."""
    return newest(open_ring(FIELD_RING))[0]
