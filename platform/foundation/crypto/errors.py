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
