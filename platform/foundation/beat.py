"""A beat that may be started twice: only the one that holds the database's lock sends anything."""

import logging
from typing import Any

from django.db import connection
from django.db.utils import DatabaseError, InterfaceError
from django_celery_beat.schedulers import DatabaseScheduler

logger = logging.getLogger(__name__)

#: The key of the session advisory lock that the leading beat holds.
LEADER_LOCK = 7_100_001


class LeaderScheduler(DatabaseScheduler):  # type: ignore[misc]  # the library ships no types
    """The database scheduler, silent unless it leads.

    The lock belongs to the database session: when the leader dies, PostgreSQL releases it and the other beat leads.
    """

    _leading = False

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due if this beat leads; return the seconds until the next look."""
        if not self._lead():
            return 1.0
        return float(super().tick(*args, **kwargs))

    def _lead(self) -> bool:
        try:
            with connection.cursor() as cursor:
                if self._leading:
                    # A new session after a lost connection does not hold the lock any more.
                    cursor.execute(
                        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
                        " AND pid = pg_backend_pid()",
                        [LEADER_LOCK],
                    )
                    row = cursor.fetchone()
                    self._leading = bool(row and row[0])
                if not self._leading:
                    cursor.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK])
                    row = cursor.fetchone()
                    self._leading = bool(row and row[0])
                    if self._leading:
                        logger.info("beat.leads")
        except (DatabaseError, InterfaceError):
            logger.warning("beat.database_unavailable")
            connection.close()
            self._leading = False
        return self._leading
