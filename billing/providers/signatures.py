"""Signatures of notices: ``t=<seconds>,v1=<hex HMAC-SHA256 of "t.body">``, each proven within a time."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from billing.providers.protocol import ProviderNotConfiguredError, SignatureInvalidError

#: How far the time of a signature may be from ours, before and after.
TOLERANCE_S: Final = 300

#: The names of the active secrets: that in use, and the one before it while it is replaced.
SLOTS: Final = ("current", "previous")

_TIME: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST_HEADER: Final = 1_000


def sign(raw_body: bytes, *, secret: str, at: int) -> str:
    """Return the header that proves *raw_body* at *at* seconds since 1970."""
    return f"t={at},v1={_digest(raw_body, secret=secret, at=str(at))}"


def verify(header: str, raw_body: bytes, *, secrets: Sequence[str], now: datetime) -> str:
    """Return which of *secrets* (current, previous) proves the body: ``current`` or ``previous``.

    An empty secret proves nothing. Raises ProviderNotConfiguredError if all are empty, and
    SignatureInvalidError for everything that is not proven.
    """
    if not any(secrets):
        raise ProviderNotConfiguredError("No secret proves notices of this provider.")
    at, signatures = _parts(header)
    if abs(now.timestamp() - int(at)) > TOLERANCE_S:
        raise SignatureInvalidError
    for slot, secret in zip(SLOTS, secrets, strict=False):
        if not secret:
            continue
        expected = _digest(raw_body, secret=secret, at=at)
        if any(hmac.compare_digest(expected, given) for given in signatures):
            return slot
    raise SignatureInvalidError


def _parts(header: str) -> tuple[str, list[str]]:
    """Return the time and the signatures of a header; anything unexpected is no signature."""
    if len(header) > _LONGEST_HEADER:
        raise SignatureInvalidError
    pairs = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not _TIME.fullmatch(times[0]):
        raise SignatureInvalidError
    if not signatures or not all(_SIGNATURE.fullmatch(value) for value in signatures):
        raise SignatureInvalidError
    return times[0], signatures


def _digest(raw_body: bytes, *, secret: str, at: str) -> str:
    return hmac.new(secret.encode(), at.encode() + b"." + raw_body, hashlib.sha256).hexdigest()
