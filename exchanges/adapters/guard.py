"""Keeps calls to venues out of database transactions."""

from typing import Final

from django.db import connections
from django.db.utils import DEFAULT_DB_ALIAS

_TEST_CASE_MARK: Final = "_from_testcase"


class TransactionGuard:
    """Knows the database connection of the code that made a client.

    Inside an event loop Django hands out other connections, so the one that could hold a transaction has to be
    remembered where the client is made: outside the loop.
    """

    def __init__(self) -> None:
        self._connection = connections[DEFAULT_DB_ALIAS]

    def refuse(self, what: str) -> None:
        """Raise RuntimeError if a transaction is open; the block around a test does not count."""
        blocks = self._connection.atomic_blocks
        if any(not getattr(block, _TEST_CASE_MARK, False) for block in blocks):
            raise RuntimeError(f"{what} may not run inside a transaction.")
