"""Checking who sent a request, and when: HMAC-SHA256 over everything that was sent."""

import hashlib
import hmac
import re
from typing import Final

from exchanges.simulator import errors
from exchanges.simulator.parameters import Parameters

DEFAULT_RECEIVE_WINDOW_MS: Final = 5_000
LONGEST_RECEIVE_WINDOW_MS: Final = 60_000
#: How far a request may be stamped ahead of the server's clock.
TOLERATED_AHEAD_MS: Final = 1_000

_API_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SIGNATURE = re.compile(r"&?signature=[^&]*")


def is_well_formed_key(api_key: str) -> bool:
    """Tell whether *api_key* can be a key at all."""
    return _API_KEY.fullmatch(api_key) is not None


def sign(payload: str, secret: str) -> str:
    """Return the lower-case hexadecimal HMAC-SHA256 of *payload* under *secret*."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def verify_signature(*, query: str, body: str, secret: str, parameters: Parameters) -> None:
    """Refuse a request whose ``signature`` is not that of its query string followed by its body."""
    given = parameters.get("signature")
    payload = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
    if not hmac.compare_digest(sign(payload, secret), given.lower()):
        raise errors.invalid_signature()


def verify_timestamp(parameters: Parameters, *, now_ms: int) -> None:
    """Refuse a request from the future, or one older than its ``recvWindow``."""
    sent_ms = parameters.get_integer("timestamp")
    window_ms = DEFAULT_RECEIVE_WINDOW_MS
    if "recvWindow" in parameters:
        window_ms = parameters.get_integer("recvWindow")
    if window_ms > LONGEST_RECEIVE_WINDOW_MS:
        raise errors.receive_window_too_long()
    if sent_ms >= now_ms + TOLERATED_AHEAD_MS:
        raise errors.timestamp_ahead()
    if now_ms - sent_ms > window_ms:
        raise errors.timestamp_too_old()
