"""Work of which one copy runs at a time, on whichever machine; the lock ends with the process that holds it."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from foundation.transactions import part_of_transaction
from market.errors import ConflictError


class AlreadyRunningError(ConflictError):
    """Another process does the same work now."""

    code = "already_running"

    def __init__(self, holder: str) -> None:
        super().__init__(f"It runs already ({holder}). Wait for its end, or stop it there.")


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Do the work called *name* alone; raise AlreadyRunningError with process and beginning of whoever does it.

    The lock belongs to the connection to the database, so it needs one of its own: not through a pooler that hands
    connections on after each transaction.
    """
    key = zlib.crc32(name.encode())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        if not cursor.fetchone()[0]:
            raise AlreadyRunningError(_holder_of(key))
        cursor.execute(
            "SELECT set_config('application_name', %s, false)", [f"{name} process {os.getpid()}"]
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


@part_of_transaction
def wait_for_turn(name: str) -> None:
    """Wait until nobody else does the work called *name*; it is this transaction's until its end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [zlib.crc32(name.encode())])


def _holder_of(key: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT activity.application_name, activity.backend_start FROM pg_locks locks "
            "JOIN pg_stat_activity activity USING (pid) "
            "WHERE locks.locktype = 'advisory' AND locks.granted AND locks.objsubid = 1 "
            "AND locks.classid = 0 AND locks.objid = %s",
            [key],
        )
        row = cursor.fetchone()
    return f"{row[0]}, since {row[1]:%Y-%m-%d %H:%M:%S} UTC" if row else "it is just ending"
