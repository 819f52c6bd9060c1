"""Calls that really happen at the same time, each on a database connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection

from market.errors import PlatformError


def together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Begin all *calls* at once; return for each its result, or the expected failure that it raised."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            # The connection is made before the start, so that the calls meet in the database.
            connection.ensure_connection()
            barrier.wait(timeout=20)
            return call()
        except PlatformError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(run, call) for call in calls]]
