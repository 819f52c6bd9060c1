"""The opened keys of an account, on their way from the factory to a client."""

from dataclasses import dataclass

from foundation.crypto import Secret


@dataclass(frozen=True, slots=True)
class ApiCredential:
    """An API key and its secret; some venues want a passphrase as well."""

    api_key: Secret
    secret: Secret
    passphrase: Secret | None = None
