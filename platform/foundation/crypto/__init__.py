"""Secrets at rest.

Two rings of keys for two kinds of secrets:

* ``seal`` / ``open_sealed``: every process can seal (public keys), only workers that hold the private keys can open.
  For API keys of exchange accounts.
* ``encrypt`` / ``decrypt``: every process can do both. For secrets that the web process itself must read.

Either way a value is bound to its place (:class:`SecretContext`): a ciphertext that was moved to another owner,
holder, field or version does not open.
"""

from foundation.crypto.errors import SealBrokenError, SecretsUnavailableError
from foundation.crypto.sealing import open_sealed, seal
from foundation.crypto.symmetric import decrypt, encrypt
from foundation.crypto.values import SealedSecret, Secret, SecretContext

__all__ = (
    "SealBrokenError",
    "SealedSecret",
    "Secret",
    "SecretContext",
    "SecretsUnavailableError",
    "decrypt",
    "encrypt",
    "open_sealed",
    "seal",
)
