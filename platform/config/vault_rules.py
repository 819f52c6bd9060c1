"""How the rings of keys are opened that HashiCorp Vault has wrapped."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from config.env_reader import EnvironmentReader

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
#: Mounts may be nested; keys and mounts become parts of an address.
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")


@dataclass(frozen=True, slots=True)
class VaultAccess:
    """Where Vault answers, and which of its keys has wrapped ours; without an address there is none."""

    address: str
    token: str = field(repr=False)
    mount: str
    key: str
    namespace: str
    ca_file: str


def read_vault(reader: EnvironmentReader) -> VaultAccess:
    """Return what the environment says of Vault."""
    return VaultAccess(
        address=reader.url("VAULT_ADDR", ("http", "https"), "").rstrip("/"),
        token=reader.text("VAULT_TOKEN", ""),
        mount=reader.text("VAULT_TRANSIT_MOUNT", "transit"),
        key=reader.text("VAULT_TRANSIT_KEY", "trading-platform"),
        namespace=reader.text("VAULT_NAMESPACE", ""),
        ca_file=reader.text("VAULT_CACERT", ""),
    )


def vault_problems(
    vault: VaultAccess, *, app_env: str, rings: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what is wrong for a process that holds *rings*; without a wrapped key nothing can be."""
    wrapped = [name for name, text in rings.items() if "vault:" in text]
    if not wrapped:
        return ()
    problems = [
        f"{name}: {wrapped[0]} is wrapped by Vault, so this is required"
        for name, value in (("VAULT_ADDR", vault.address), ("VAULT_TOKEN", vault.token))
        if not value
    ]
    problems += [
        f"{name}: expected a path of letters, digits, '_', '-' and '.'"
        for name, value in (
            ("VAULT_TRANSIT_MOUNT", vault.mount),
            ("VAULT_TRANSIT_KEY", vault.key),
        )
        if not _PATH.fullmatch(value)
    ]
    host = urlsplit(vault.address).hostname
    if app_env == "production" and vault.address.startswith("http:") and host not in _LOOPBACK:
        problems.append("VAULT_ADDR: must start with https:// when APP_ENV=production")
    return tuple(problems)
