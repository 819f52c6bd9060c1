"""Reading one value of the environment after the other, and keeping what is wrong with them."""

import base64
import binascii
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_TRUE: Final = frozenset({"1", "true"})
_FALSE: Final = frozenset({"0", "false", ""})
_MINIMUM_SECRET_LENGTH: Final = 50
#: Fewer different characters are no random text, and words like these stand in examples.
_MINIMUM_VARIETY: Final = 12
_EXAMPLE: Final = re.compile(r"change.?me|example|insecure|placeholder|your.?secret", re.IGNORECASE)
_MINIMUM_TOKEN_LENGTH: Final = 20
_KEY_BYTES: Final = 32
_WRAPPED: Final = re.compile(r"vault:v[0-9]+:[A-Za-z0-9+/=]+")


class EnvironmentReader:
    """Reads values one by one and keeps what is wrong with them."""

    def __init__(self, source: Mapping[str, str]) -> None:
        self._source = source
        self.problems: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """Return the value of *name*, or of the file that ``NAME_FILE`` points to, without surrounding space."""
        path = self._source.get(f"{name}_FILE")
        if path is not None:
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                self.problems.append(f"{name}_FILE: cannot read {path}: {type(error).__name__}")
                return ""
        value = self._source.get(name)
        if value is None:
            if default is None:
                self.problems.append(f"{name}: is required")
            return default or ""
        return value.strip()

    def flag(self, name: str, *, default: bool) -> bool:
        """Return 1/true as True and 0/false as False; anything else is a problem."""
        value = self.text(name, "true" if default else "false").lower()
        if value not in _TRUE | _FALSE:
            self.problems.append(f"{name}: expected true or false, got '{value[:40]}'")
        return value in _TRUE

    def number(self, name: str, default: float, *, low: float, high: float) -> float:
        """Return a number in ``[low, high]``."""
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            self.problems.append(
                f"{name}: expected a number from {low:g} to {high:g}, got '{text[:40]}'"
            )
            return default
        return value

    def whole(self, name: str, *, low: int, high: int) -> None:
        """Judge a number that is used elsewhere; it may be absent."""
        text = self.text(name, "")
        if text and not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
            self.problems.append(
                f"{name}: expected a whole number from {low} to {high}, such as {low}, got '{text[:40]}'"
            )

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """Return one of *allowed*."""
        value = self.text(name, default)
        if value not in allowed:
            self.problems.append(
                f"{name}: expected one of {', '.join(allowed)}, got '{value[:40]}'"
            )
            return default
        return value

    def items(self, name: str, default: str) -> tuple[str, ...]:
        """Return a comma-separated list."""
        return tuple(part.strip() for part in self.text(name, default).split(",") if part.strip())

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return a comma-separated list of network addresses, IPv4 or IPv6."""
        found = self.items(name, "")
        for address in found:
            try:
                ip_address(address)
            except ValueError:
                self.problems.append(
                    f"{name}: expected addresses such as 203.0.113.7, got '{address[:40]}'"
                )
        return found

    def secret(self, name: str) -> str:
        """Return a secret of at least fifty characters."""
        value = self.text(name)
        if value and len(value) < _MINIMUM_SECRET_LENGTH:
            self.problems.append(
                f"{name}: must be at least {_MINIMUM_SECRET_LENGTH} random characters (got {len(value)}). "
                "Make one: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        elif value and (len(set(value)) < _MINIMUM_VARIETY or _EXAMPLE.search(value)):
            self.problems.append(
                f"{name}: is an example or no random text. "
                "Make one: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        return value

    def token(self, name: str) -> str:
        """Return an optional password of at least twenty characters; empty if there is none."""
        value = self.text(name, "")
        if value and len(value) < _MINIMUM_TOKEN_LENGTH:
            self.problems.append(
                f"{name}: must be at least {_MINIMUM_TOKEN_LENGTH} random characters (got {len(value)})"
            )
        return value

    def key(self, name: str, *, required: bool, may_be_wrapped: bool = False) -> str:
        """Return a ring ``version:key[,version:key]``; a bare key is version 1.

        A key is 32 bytes in base64, or what Vault has made of them, ``vault:v1:…``.
        """
        value = self.text(name, None if required else "")
        versions: set[str] = set()
        for part in filter(None, (piece.strip() for piece in value.split(","))):
            version, separator, stored = part.partition(":")
            if not separator or part.startswith("vault:"):
                version, stored = "1", part
            if not version.isascii() or not version.isdigit() or version in versions:
                self.problems.append(
                    f"{name}: each key needs a version of its own, a number from 1: '1:KEY,2:KEY'"
                )
                break
            versions.add(version)
            if may_be_wrapped and _WRAPPED.fullmatch(stored):
                continue
            if _bytes_in(stored) != _KEY_BYTES:
                self.problems.append(
                    f"{name}: each key must be {_KEY_BYTES} bytes in base64. "
                    "Make one: python -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())'"
                )
                break
        return value

    def url(self, name: str, schemes: tuple[str, ...], default: str | None = None) -> str:
        """Return an URL with one of *schemes*; a problem never shows its password."""
        value = self.text(name, default)
        if value:
            try:
                parts = urlsplit(value)
                scheme = parts.scheme if parts.port is None or parts.port else ""
            except ValueError:
                scheme = ""
            if value.count("@") > 1 or "#" in value:
                self.problems.append(f"{name}: write '@' and '#' in the password as %40 and %23")
            elif scheme not in schemes:
                self.problems.append(
                    f"{name}: expected an address that starts with {' or '.join(schemes)}"
                )
        return value

    def database(self, name: str, default: str | None = None) -> str:
        """Return the address of a database, which names a host and the database."""
        before = len(self.problems)
        value = self.url(name, ("postgres", "postgresql"), default)
        if value and len(self.problems) == before:
            parts = urlsplit(value)
            if not parts.path.strip("/"):
                self.problems.append(f"{name}: names no database after the host")
        return value


def _bytes_in(encoded: str) -> int:
    try:
        return len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return -1
