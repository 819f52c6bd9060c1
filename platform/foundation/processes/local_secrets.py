"""Secrets of a machine that has none yet: generated once, kept in a file of its owner alone.

Run as a program (``python -m foundation.processes.local_secrets``) it prints a fresh set as
``NAME=value`` lines.
"""

import base64
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

_TOKEN_BYTES: Final = 48

#: Who opens credentials of exchange accounts; every other process only seals them.
PRIVATE_KEY: Final = "API_ENCRYPTION_KEY"
PUBLIC_KEY: Final = "API_ENCRYPTION_PUBLIC_KEY"


def _token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _symmetric_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")


_MAKERS: Final[Mapping[str, Callable[[], str]]] = {
    "SECRET_KEY": _token,
    "JWT_SECRET_KEY": _token,
    "INSTALLATION_SALT": _token,
    "SIMULATOR_ADMIN_TOKEN": _token,
    "FIELD_ENCRYPTION_KEY": _symmetric_key,
    "DEMO_PASSWORD": lambda: secrets.token_urlsafe(12),
}


def generate_secrets() -> dict[str, str]:
    """Return one fresh value for each secret, by the name of its environment variable."""
    private = X25519PrivateKey.generate()
    keys = {
        PRIVATE_KEY: private.private_bytes_raw(),
        PUBLIC_KEY: private.public_key().public_bytes_raw(),
    }
    return {
        **{name: make() for name, make in _MAKERS.items()},
        **{name: base64.b64encode(key).decode("ascii") for name, key in keys.items()},
    }


def load_or_create_secrets(path: Path) -> dict[str, str]:
    """Return the secrets in *path*; make those that are missing, and keep them there.

    The caller holds the lock of this place. A value that is there never changes: what it has
    encrypted would be lost.
    """
    found = read_variables(path)
    fresh = generate_secrets()
    if PRIVATE_KEY in found:
        fresh[PUBLIC_KEY] = _public_key_of(found[PRIVATE_KEY])
    known = {**fresh, **found}
    if known != found:
        write_variables(path, known)
    return known


def read_variables(path: Path) -> dict[str, str]:
    """Return the ``NAME=value`` lines of *path*; nothing if there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def write_variables(path: Path, variables: Mapping[str, str]) -> None:
    """Replace *path* as a whole with ``NAME=value`` lines that only our user can read."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in sorted(variables.items()))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _public_key_of(private_key: str) -> str:
    raw = base64.b64decode(private_key.rpartition(":")[2])
    public = X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
    return base64.b64encode(public).decode("ascii")


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}={value}\n" for name, value in generate_secrets().items())
