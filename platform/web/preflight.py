"""Whether what this process was given can work: judged before it starts, everything at once.

The environment itself is judged by ``config.env``; here it is held against the servers, the files and the stored data.
"""

import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from accounts.selectors import key_rings as account_rings
from exchanges.selectors import key_rings
from foundation.crypto import (
    KeyProviderRefusedError,
    KeyProviderUnavailableError,
    SealBrokenError,
    SecretContext,
    decrypt,
    encrypt,
    open_sealed,
    seal,
)
from foundation.crypto.rings import split_ring

_OLDEST_POSTGRES: Final = 14
_LARGEST_SKEW_S: Final = 2.0
_SMALLEST_DISK: Final = 1_000_000_000
_TIMEOUT_S: Final = 3.0
_PROBE: Final = SecretContext(owner="0", holder="preflight", field="probe", version=1)


class Level(StrEnum):
    """How bad a finding is; a process starts only over warnings."""

    WARNING = "warning"
    ERROR = "error"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: a stable code and a text without secrets."""

    level: Level
    code: str
    message: str


def examine(*, environment: Mapping[str, str], now: datetime) -> list[Finding]:
    """Return everything that is wrong, the worst first."""
    found = [
        *_production(),
        *_secret_files(environment),
        *_keys(),
        *_files(),
        *_reached("database", DatabaseError, lambda: _database(now)),
        *_reached("redis", RedisError, _broker),
    ]
    order = [Level.UNREACHABLE, Level.ERROR, Level.WARNING]
    return sorted(found, key=lambda finding: order.index(finding.level))


def _reached(
    name: str, refusal: type[Exception], ask: Callable[[], Iterator[Finding]]
) -> Iterator[Finding]:
    try:
        yield from list(ask())
    except refusal as error:
        # Only the first line: drivers print the address, and never the password, in it.
        reason = (str(error).strip().splitlines() or ["no answer"])[0][:200]
        yield Finding(Level.UNREACHABLE, f"{name}_unreachable", f"{name}: {reason}")


def _production() -> Iterator[Finding]:
    if settings.ENVIRONMENT.app_env != "production":
        return
    if not settings.ENVIRONMENT.email_url:
        yield Finding(
            Level.WARNING,
            "mail_missing",
            "EMAIL_URL: not set; nobody can confirm an address or reset a password",
        )
    if settings.ENVIRONMENT.trusted_proxies == 0:
        yield Finding(
            Level.WARNING,
            "proxies_unknown",
            "TRUSTED_PROXIES: 0; behind a proxy every visitor has its address, and shares its limits",
        )


def _secret_files(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name, path in sorted(environment.items()):
        if name.removesuffix("_FILE") not in settings.VARIABLES or not name.endswith("_FILE"):
            continue
        if not Path(path).is_file():
            continue
        mode = stat.S_IMODE(Path(path).stat().st_mode)
        if mode & stat.S_IRWXO:
            yield Finding(
                Level.WARNING,
                "secret_readable",
                f"{name}: the file has mode {mode:04o}; everybody on this machine can read it",
            )


def _keys() -> Iterator[Finding]:
    try:
        decrypt(encrypt("probe", _PROBE), _PROBE)
        if settings.API_ENCRYPTION_KEY:
            open_sealed(bytes(seal("probe", _PROBE)), _PROBE)
    except (SealBrokenError, ValueError):
        yield Finding(
            Level.ERROR,
            "keys_do_not_match",
            "API_ENCRYPTION_KEY: does not open what API_ENCRYPTION_PUBLIC_KEY seals",
        )
    except KeyProviderRefusedError as error:
        yield Finding(Level.ERROR, error.code, f"VAULT_ADDR: {error.message}")
    except KeyProviderUnavailableError as error:
        yield Finding(Level.UNREACHABLE, error.code, f"VAULT_ADDR: {error.message}")


def _files() -> Iterator[Finding]:
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if free < _SMALLEST_DISK:
        yield Finding(
            Level.ERROR, "disk_full", f"{folder}: {free // 1_000_000} MB are free, 1000 are needed"
        )
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if settings.ENVIRONMENT.app_env == "production" and not manifest.is_file():
        yield Finding(
            Level.ERROR,
            "static_files_missing",
            f"{manifest.name}: absent; run `manage.py collectstatic`",
        )


def _database(now: datetime) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int / 10000, "
            "current_setting('server_encoding'), "
            "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user), "
            "extract(epoch FROM clock_timestamp())::float8"
        )
        version, encoding, is_superuser, clock = cursor.fetchone()
    if version < _OLDEST_POSTGRES:
        text = f"database: PostgreSQL {version} is too old; {_OLDEST_POSTGRES} or newer is needed"
        yield Finding(Level.ERROR, "database_too_old", text)
    if encoding != "UTF8":
        text = f"database: its encoding is {encoding}; UTF8 is needed"
        yield Finding(Level.ERROR, "database_encoding", text)
    if is_superuser and settings.ENVIRONMENT.app_env == "production":
        text = "database: the role is a superuser; give the platform a role of its own"
        yield Finding(Level.WARNING, "database_superuser", text)
    skew_s = abs(clock - now.timestamp())
    if skew_s > _LARGEST_SKEW_S:
        text = f"database: its clock differs from this machine's by {skew_s:.1f} s"
        yield Finding(Level.WARNING, "clock_skew", text)
    yield from _schema()


def _schema() -> Iterator[Finding]:
    executor: Any = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        text = (
            f"database: {len(pending)} migrations are not applied, the first is "
            f"{pending[0][0].app_label}.{pending[0][0].name}; run `manage.py migrate`"
        )
        yield Finding(Level.ERROR, "migrations_pending", text)
        return
    known = {label for label, _ in executor.loader.disk_migrations}
    newer = sorted(
        f"{label}.{name}"
        for label, name in set(executor.loader.applied_migrations)
        - set(executor.loader.disk_migrations)
        if label in known and (label, name) not in executor.loader.replacements
    )
    if newer:
        text = (
            f"database: it has {len(newer)} migrations that this version does not know, "
            f"the first is {newer[0]}; run the newer version"
        )
        yield Finding(Level.ERROR, "schema_newer", text)
        return
    yield from _stored_keys()


def _stored_keys() -> Iterator[Finding]:
    rings = [
        (
            settings.FIELD_ENCRYPTION_KEY,
            account_rings.second_factors_by_key_version(),
            "second factors",
        ),
    ]
    if settings.API_ENCRYPTION_KEY:
        counts = key_rings.credentials_by_key_version()
        rings.append((settings.API_ENCRYPTION_KEY, counts, "credentials"))
    for text, counts, protected in rings:
        ring = split_ring(text)
        for version, count in counts.items():
            if version not in ring:
                message = f"key {version} is used by {count} {protected} but is not in the key ring"
                yield Finding(Level.ERROR, "key_missing", message)
            elif version < max(ring):
                message = (
                    f"key {version} is still needed by {count} {protected}; keep it in the ring, "
                    "and run `manage.py rotate_keys`"
                )
                yield Finding(Level.WARNING, "key_outdated", message)


def _broker() -> Iterator[Finding]:
    with Redis.from_url(
        settings.REDIS_URL, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
    ) as client:
        client.ping()
        try:
            told: Any = client.config_get("maxmemory-policy", "appendonly")
        except ResponseError:
            # A managed service does not tell; its documentation has to.
            return
    policy = told.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        text = f"redis: maxmemory-policy is {policy}; queued work can vanish"
        yield Finding(Level.WARNING, "redis_evicts", text)
    if told.get("appendonly") == "no" and settings.ENVIRONMENT.app_env == "production":
        text = "redis: appendonly is off; a crash loses what waits until the sweepers send it again"
        yield Finding(Level.WARNING, "redis_forgets", text)
