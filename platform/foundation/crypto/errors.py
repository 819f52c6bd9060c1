"""Why a secret cannot be read."""

from market.errors import PlatformError


class SecretsUnavailableError(PlatformError):
    """This process does not hold the keys that open such a secret."""

    code = "secrets_unavailable"
    status = 503
    title = "This part of the platform cannot read the secret"


class SealBrokenError(PlatformError):
    """The stored value does not open here: moved, changed, or sealed with a key that is gone."""

    code = "seal_broken"
    status = 500
    title = "The stored secret cannot be opened"


class KeyProviderError(SecretsUnavailableError):
    """Who holds the key to a ring of keys does not open it; nothing that the ring protects can be read here."""

    code = "key_provider_failed"


class KeyProviderUnavailableError(KeyProviderError):
    """It does not answer, or cannot work now; trying again later may help."""

    code = "key_provider_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"What holds the key to a ring of keys {reason}.")


class KeyProviderRefusedError(KeyProviderError):
    """It does not let this process use that key: the token, the mount or the key is wrong."""

    code = "key_provider_refused"

    def __init__(self, status: int) -> None:
        super().__init__(f"What holds the key to a ring of keys refuses this process ({status}).")
