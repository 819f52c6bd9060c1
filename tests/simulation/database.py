"""A database of the simulation: PostgreSQL whose clock is the simulation's, and days that leave nothing behind.

Each day is one transaction that is rolled back in the end, so what the platform commits are savepoints. What is put off
until a commit is checked after each step instead.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import connection, connections, transaction

from tests.flows.stack import fresh_database
from tests.simulation.clock import Clock
from tests.template import template_database

#: Functions that shadow the server's own: whoever asks for the time gets the simulation's.
_CLOCKS: Final = ("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp")

#: What lets the order of rows depend on where they happen to lie, or takes longer than the day's few rows are worth.
_PLANNING: Final = (
    *("jit", "enable_hashjoin", "enable_mergejoin"),
    *("enable_seqscan", "enable_bitmapscan", "synchronize_seqscans"),
)

_SHADOW: Final = """
    CREATE FUNCTION simulation.{name}() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('simulation.now')::timestamptz $$
"""

_DEFAULTS: Final = """
    SELECT format(
        'ALTER TABLE ONLY %s ALTER COLUMN %I SET DEFAULT simulation.now()', attrelid::regclass, attname
    )
    FROM pg_attrdef
    JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    WHERE pg_get_expr(adbin, adrelid) ~* '(now|_timestamp)\\(\\)|CURRENT_TIMESTAMP'
    ORDER BY attrelid, attnum
"""

_COUNTERS: Final = """
    SELECT format('setval(%L, %s, %L)', sequencename, coalesce(last_value, start_value), last_value IS NOT NULL)
    FROM pg_sequences WHERE schemaname = 'public' ORDER BY sequencename
"""

_NO_QUESTION: Final = ("ROLLBACK", "RELEASE", "SAVEPOINT")


@contextmanager
def opened(clock: Clock) -> Iterator["Ledger"]:
    """Go over to a fresh copy of the migrated database, whose clock is *clock*."""
    with fresh_database(template=template_database()) as url:
        connections.close_all()
        name = urlsplit(url).path.removeprefix("/")
        kept = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = name
        try:
            _shadow_clocks(name)
            connections.close_all()
            ledger = Ledger(clock)
            with connection.execute_wrapper(ledger.execute):
                yield ledger
        finally:
            connections.close_all()
            connection.settings_dict["NAME"] = kept


def _shadow_clocks(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA simulation")
        cursor.execute(f'ALTER DATABASE "{name}" SET search_path = simulation, pg_catalog, public')
        for setting in _PLANNING:
            cursor.execute(f'ALTER DATABASE "{name}" SET {setting} = off')
        for each in _CLOCKS:
            cursor.execute(_SHADOW.format(name=each))
        cursor.execute(_DEFAULTS)
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


class Ledger:
    """What stands between the platform and its database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_us: int | None = None
        self._counters = ""
        #: Called before each statement; what it raises ends the statement's process.
        self.before: Callable[[], None] = lambda: None

    def execute(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        """Execute a statement of the platform, with the clock as it is now."""
        if isinstance(sql, str) and sql.startswith(_NO_QUESTION):
            if sql.startswith("ROLLBACK"):
                # What a transaction has set is undone with it.
                self._told_us = None
            return execute(sql, params, many, context)
        self.before()
        if self._told_us != self._clock.true_us:
            connection.connection.execute(
                "SELECT set_config('simulation.now', %s, false)",
                [self._clock.true_at.isoformat()],
            )
            self._told_us = self._clock.true_us
        return execute(sql, params, many, context)

    def keep_counters(self) -> None:
        """Let every day begin with the keys that come next now."""
        with connection.cursor() as cursor:
            cursor.execute(_COUNTERS)
            self._counters = ", ".join(each for (each,) in cursor.fetchall())

    @contextmanager
    def day(self) -> Iterator[None]:
        """Begin a day, and undo in the end all that has happened in it."""
        self._told_us = None
        block = transaction.atomic()
        # To the platform this is no transaction, as it is none to a test case.
        block._from_testcase = True  # type: ignore[attr-defined]
        with block:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT {self._counters}")
                yield
            finally:
                connection.run_on_commit.clear()
                transaction.set_rollback(True)
        self._told_us = None


def settle_step() -> None:
    """Check what a commit would have, and do what was to be done after it."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    waiting, connection.run_on_commit = connection.run_on_commit, []
    for _, do, *_ in waiting:
        do()
