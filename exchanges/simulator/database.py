"""The file behind a simulator: SQLite with a write-ahead log that is synced at each commit.

What was committed before an answer was sent is there after SIGKILL or a power cut, and nothing is
there by half. While a simulator runs, anybody may open the file read-only and look.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_FACTS: Final = "CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);"

Row = tuple[Any, ...]


class StateError(RuntimeError):
    """The state file cannot be used; the message says why."""


class Database:
    """One connection, used from one thread; values are what SQLite knows (hence Any)."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file at *path*, for one simulator alone; None keeps all in memory."""
        self._lock = None if path is None else _lock(path)
        try:
            self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=1)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.executescript(_FACTS)
        except sqlite3.Error as error:
            self.close()
            raise StateError(f"{path}: {error}.") from error

    def close(self) -> None:
        """Close the file; further calls fail."""
        for connection in (getattr(self, "_connection", None), self._lock):
            if connection is not None:
                connection.close()

    def prepare(self, schema: str) -> None:
        """Create the tables of *schema* that are not there."""
        self._connection.executescript(schema)

    def migrate(self, steps: Sequence[str], *, known_by: str) -> None:
        """Take the steps that this file has not taken; they are only ever added to.

        A file without the table *known_by* is new, and needs none of them.
        """
        there = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
        taken = self.count("PRAGMA user_version") if self.count(there, known_by) else len(steps)
        for step in steps[taken:]:
            self._connection.executescript(f"BEGIN IMMEDIATE; {step}; COMMIT;")
        self._connection.execute(f"PRAGMA user_version = {len(steps)}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything written inside, or nothing of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def without_sync(self) -> Iterator[None]:
        """Let what is written inside survive the end of the process, but not a power cut."""
        self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._connection.execute("PRAGMA synchronous = FULL")

    def run(self, statement: str, *values: Any) -> None:
        """Execute one statement."""
        self._connection.execute(statement, values)

    def insert(self, statement: str, *values: Any) -> int:
        """Insert one row and return its number."""
        return int(self._connection.execute(statement, values).lastrowid or 0)

    def one(self, statement: str, *values: Any) -> Row | None:
        """Return the first row, or None."""
        rows = self._connection.execute(statement, values).fetchall()
        return rows[0] if rows else None

    def all(self, statement: str, *values: Any) -> list[Row]:
        """Return all rows; a single mapping gives the values by name."""
        named = values[0] if len(values) == 1 and isinstance(values[0], dict) else values
        return self._connection.execute(statement, named).fetchall()

    def count(self, statement: str, *values: Any) -> int:
        """Return the number that the statement selects."""
        row = self.one(statement, *values)
        return 0 if row is None else int(row[0])

    def find_fact(self, name: str) -> Any:
        """Return a remembered JSON value (hence Any), or None."""
        row = self.one("SELECT value FROM fact WHERE name = ?", name)
        return None if row is None else json.loads(row[0])

    def remember(self, name: str, value: object) -> None:
        """Keep a JSON value under *name*."""
        self.run("INSERT OR REPLACE INTO fact VALUES (?, ?)", name, json.dumps(value))


def _lock(path: Path) -> sqlite3.Connection:
    """Hold a file beside *path* for as long as the process lives; raise StateError if it is held."""
    try:
        lock = sqlite3.connect(path.with_name(f"{path.name}.lock"), isolation_level=None, timeout=1)
    except sqlite3.Error as error:
        raise StateError(f"{path}: {error}.") from error
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        in_use = "locked" in str(error)
        reason = "it is used by another simulator" if in_use else str(error)
        raise StateError(f"{path}: {reason}.") from error
    return lock
