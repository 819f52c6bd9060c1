"""A migrated database of which every other one of the suite is a copy: a copy takes a moment, migrating ten seconds."""

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

_CHECKOUT: Final = Path(__file__).resolve().parents[1]
_LOCK: Final = 7_204_003


@cache
def template_database() -> str:
    """Return the name of a database in which all migrations have run and nothing else has.

    Whoever comes first makes it, the others wait. It is made anew when a migration has changed; a checkout never
    leaves more than one behind on a server that outlives the suite.
    """
    name = f"template_{hashlib.sha256(str(_CHECKOUT).encode()).hexdigest()[:12]}"
    digest = _digest_of_migrations()
    with psycopg.connect(address_of("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        if _digest_of(connection, name) != digest:
            database = sql.Identifier(name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(database))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
            _migrate(name)
            # The note comes last: a database without it was left half-made.
            note = sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(digest))
            connection.execute(note)
    return name


def address_of(database: str) -> str:
    """Return the address of a database on the suite's server."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}"))


def _digest_of_migrations() -> str:
    digest = hashlib.sha256()
    for path in sorted(_CHECKOUT.glob("**/migrations/*.py")):
        if ".venv" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _digest_of(connection: psycopg.Connection, name: str) -> str | None:
    row = connection.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    return row[0] if row else None


def _migrate(name: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=_CHECKOUT,
        env={**os.environ, "DATABASE_URL": address_of(name)},
        check=True,
    )
