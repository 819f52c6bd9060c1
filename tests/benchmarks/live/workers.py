"""Real Celery workers on the database of the benchmark."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import redis
from django.conf import settings
from django.db import connection

CHECKOUT = Path(__file__).resolve().parents[3]


@contextmanager
def workers(*queues: str, processes: int, log: Path) -> Iterator["Spent"]:
    """Run a worker with so many *processes* on *queues*, as the platform does; stop it in the end."""
    broker = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    for queue in queues:
        broker.delete(queue)
    environment = {**os.environ, "DATABASE_URL": _address_of_this_database()}
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "config", "worker"]
    command += ["-Q", ",".join(queues), "-n", "bench@%h", "--pool", "prefork"]
    command += ["--concurrency", str(processes), "--loglevel", "WARNING"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=CHECKOUT, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield Spent(process.pid)
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(timeout=60)


class Spent:
    """The processor time of a worker's processes."""

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def seconds(self) -> float:
        """Return it, since they began."""
        folder = Path(f"/proc/{self._parent}/task/{self._parent}/children")
        return sum(_seconds_of(int(pid)) for pid in folder.read_text().split())


class Backends:
    """The processor time of the database's processes that serve this database.

    The server has to be on this machine. What a process does between the last look and its end is
    not counted, so look often.
    """

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def look(self) -> None:
        """Note what each process has used so far."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
            for (pid,) in cursor.fetchall():
                with suppress(FileNotFoundError, ProcessLookupError):
                    self._seconds[pid] = _seconds_of(pid)

    def seconds(self) -> float:
        """Return what all of them have used together, since they began."""
        self.look()
        return sum(self._seconds.values())


def commits() -> int:
    """Return how many transactions this database has ended, as far as its processes have told."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        )
        (count,) = cursor.fetchone()
    return int(count)


def _seconds_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", maxsplit=1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processor_seconds() -> float:
    """Return what all processes of this machine have computed so far, in seconds of one core."""
    first = Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system = (int(value) for value in first[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _address_of_this_database() -> str:
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
