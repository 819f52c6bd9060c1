"""Secrets at rest.

Two rings of keys for two kinds of secrets:

* ``seal`` / ``open_sealed``: every process can seal (public keys), only workers that hold the private keys can open.
  For API keys of exchange accounts.
* ``encrypt`` / ``decrypt``: every process can do both. For secrets that the web process itself must read.

A ring stands in the environment or a file, or is wrapped by Vault (``providers``). ``manage.py rotate_keys`` brings
everything that is stored to the newest key of its ring.

Either way a value is bound to its place (:class:`SecretContext`): a ciphertext that was moved to another owner,
holder, field or version does not open.
"""

from foundation.crypto.errors import (
    KeyProviderError,
    KeyProviderRefusedError,
    KeyProviderUnavailableError,
    SealBrokenError,
    SecretsUnavailableError,
)
from foundation.crypto.sealing import newest_seal, open_sealed, reseal, seal, sealed_with
from foundation.crypto.symmetric import decrypt, encrypt, encrypted_with, newest_encryption
from foundation.crypto.values import SealedSecret, Secret, SecretContext

__all__ = (
    "KeyProviderError",
    "KeyProviderRefusedError",
    "KeyProviderUnavailableError",
    "SealBrokenError",
    "SealedSecret",
    "Secret",
    "SecretContext",
    "SecretsUnavailableError",
    "decrypt",
    "encrypt",
    "encrypted_with",
    "newest_encryption",
    "newest_seal",
    "open_sealed",
    "reseal",
    "seal",
    "sealed_with",
)
