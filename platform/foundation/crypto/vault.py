"""Keys wrapped by the transit engine of HashiCorp Vault: its key never leaves it, ours are useless without it.

Speaks the HTTP API that Vault documents (``POST /v1/<mount>/encrypt/<key>`` and ``…/decrypt/<key>``, with
``associated_data``), once per key and process.
"""

import base64
import binascii
import json
from typing import Any, Final, Self

import requests
from django.conf import settings

from foundation.crypto.errors import (
    KeyProviderRefusedError,
    KeyProviderUnavailableError,
    SealBrokenError,
)
from foundation.crypto.values import Secret

_TIMEOUT_S: Final = (3.0, 5.0)
_LARGEST_ANSWER: Final = 65_536


class VaultTransit:
    """The transit engine of one Vault, used with one of its keys."""

    def __init__(
        self,
        *,
        address: str,
        token: Secret,
        mount: str,
        key: str,
        namespace: str = "",
        ca_file: str = "",
    ) -> None:
        """Speak to the Vault at *address* (``https://vault:8200``); *ca_file* proves it, empty: the usual authorities."""
        self._address, self._token, self._namespace = address.rstrip("/"), token, namespace
        self._mount, self._key = mount.strip("/"), key
        self._ca_file = ca_file

    @classmethod
    def from_settings(cls) -> Self:
        """Return the engine that the environment names."""
        vault = settings.VAULT
        return cls(
            address=vault.address,
            token=Secret(vault.token),
            mount=vault.mount,
            key=vault.key,
            namespace=vault.namespace,
            ca_file=vault.ca_file,
        )

    def wrap(self, key: bytes, *, ring: str, version: int) -> str:
        """Return *key* encrypted by Vault, as ``vault:v1:…``."""
        told = self._ask("encrypt", {"plaintext": _encode(key), **_bound_to(ring, version)})
        return str(told["ciphertext"])

    def unwrap(self, stored: str, *, ring: str, version: int) -> bytes:
        """Return the key that was wrapped for that ring and version.

        Raises SealBrokenError for anything else, KeyProviderRefusedError or KeyProviderUnavailableError.
        """
        told = self._ask("decrypt", {"ciphertext": stored, **_bound_to(ring, version)})
        try:
            return base64.b64decode(told["plaintext"], validate=True)
        except binascii.Error:
            raise SealBrokenError from None

    def _ask(self, operation: str, body: dict[str, str]) -> dict[str, Any]:
        headers = {"X-Vault-Token": self._token.reveal(), "X-Vault-Request": "true"}
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        try:
            with requests.Session() as session:
                # No proxy, no netrc, no redirect: the token goes to this address and to no other.
                session.trust_env = False
                with session.post(
                    f"{self._address}/v1/{self._mount}/{operation}/{self._key}",
                    json=body,
                    headers=headers,
                    timeout=_TIMEOUT_S,
                    verify=self._ca_file or True,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    status, content = answer.status_code, answer.raw.read(_LARGEST_ANSWER)
        except (requests.RequestException, OSError):
            # The cause would name the address, and with some libraries the headers.
            raise KeyProviderUnavailableError("does not answer") from None
        return _judge(status, content)


def _judge(status: int, content: bytes) -> dict[str, Any]:
    if status == 400:
        raise SealBrokenError
    if status in {401, 403, 404}:
        raise KeyProviderRefusedError(status)
    if status != 200:
        raise KeyProviderUnavailableError(f"answers {status}")
    try:
        told = json.loads(content)["data"]
    except (ValueError, KeyError, TypeError):
        raise KeyProviderUnavailableError("answers nonsense") from None
    if not isinstance(told, dict):
        raise KeyProviderUnavailableError("answers nonsense")
    return told


def _bound_to(ring: str, version: int) -> dict[str, str]:
    """Return what ties a wrapped key to its place: one that was moved to another ring or version does not open."""
    return {"associated_data": _encode(f"trading-platform|{ring}|{version}".encode())}


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
