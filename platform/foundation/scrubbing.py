"""What must never be readable in a log, an error report or a message: secrets, by value and by the look of them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from django.conf import settings

REDACTED: Final = "«secret»"

#: A shorter value could be a common word, and hiding every word like it would make the log useless.
_SHORTEST_VALUE: Final = 12

_SECRET_SETTINGS: Final = (
    "SECRET_KEY",
    "JWT_SECRET_KEY",
    "INSTALLATION_SALT",
    "SIMULATOR_ADMIN_TOKEN",
    "METRICS_TOKEN",
    "EMAIL_HOST_PASSWORD",
    "STRIPE_SECRET_KEY",
)
#: The secret in use and the one before it.
_SECRET_PAIRS: Final = ("STRIPE_WEBHOOK_SECRETS", "DEVELOPMENT_WEBHOOK_SECRETS")
_SECRET_RINGS: Final = ("API_ENCRYPTION_KEY", "FIELD_ENCRYPTION_KEY")

_SENSITIVE: Final = (
    r"[\w-]*(?:passw(?:or)?d|passphrase|secret|api[_-]?key|signature|authorization|cookie|"
    r"access[_-]?sign|token)[\w-]*"
)
_NAME: Final = re.compile(_SENSITIVE, re.IGNORECASE)
_PATTERNS: Final = (
    # scheme://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@", re.IGNORECASE), rf"\1:{REDACTED}@"),
    # Whole headers: what follows may have several parts.
    (
        re.compile(
            r"\b(authorization|set-cookie|cookie)([\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+", re.IGNORECASE
        ),
        rf"\1\2{REDACTED}",
    ),
    (
        re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE),
        rf"\1 {REDACTED}",
    ),
    # name=value, name: value, "name": "value", in headers, query strings, JSON and reprs
    (
        re.compile(
            rf"(?P<name>{_SENSITIVE})(?P<sign>\\?[\"']?\s*[=:]\s*)"
            rf"(?:\\?\"[^\"\\]*\\?\"|'[^']*'|[^\s\"'&,;)}}\]]+)",
            re.IGNORECASE,
        ),
        rf"\g<name>\g<sign>{REDACTED}",
    ),
    # the part of an address that proves who follows it
    (re.compile(r"(/confirm-email/|/password/reset/key/)[^\s/\"'?&]+"), rf"\1{REDACTED}"),
    # a personal token
    (re.compile(r"\bpk_live_[A-Za-z0-9]{4,16}_[\w-]{16,}"), REDACTED),
    # a key of Stripe, and what proves its notices
    (re.compile(r"\b(?:[sr]k_(?:live|test)|whsec)_[\w+/=-]{8,}"), REDACTED),
    # a token of Vault, and what it has wrapped
    (re.compile(r"\b(?:hv[sbr]\.[\w-]{20,}|vault:v\d+:[\w+/=-]{16,})"), REDACTED),
    # a JSON web token
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), REDACTED),
)


def scrub(text: str) -> str:
    """Return *text* with every known secret, and all that looks like one, replaced."""
    known = _known_values()
    if known:
        text = _any_of(known).sub(REDACTED, text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def scrub_value(value: Any, *, name: str = "") -> Any:
    """Return *value*, and all that it contains, without secrets; under a secret's *name* nothing is left of it."""
    if name and _NAME.fullmatch(name) and value not in (None, "", True, False):
        return REDACTED
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {key: scrub_value(inner, name=str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [scrub_value(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrub(str(value))


def _known_values() -> tuple[str, ...]:
    values = [str(getattr(settings, name, "") or "") for name in _SECRET_SETTINGS]
    for name in _SECRET_RINGS:
        ring = str(getattr(settings, name, "") or "")
        values += [part.rpartition(":")[2] for part in ring.split(",")]
    for name in _SECRET_PAIRS:
        values += [str(value) for value in getattr(settings, name, ())]
    vault = getattr(settings, "VAULT", None)
    values += [str(vault.token) if vault else ""]
    values += [str(database.get("PASSWORD") or "") for database in settings.DATABASES.values()]
    return tuple(sorted({value for value in values if len(value) >= _SHORTEST_VALUE}))


@lru_cache(maxsize=4)
def _any_of(values: tuple[str, ...]) -> re.Pattern[str]:
    # The longest first: one value may begin like another.
    return re.compile("|".join(re.escape(value) for value in sorted(values, key=len, reverse=True)))
