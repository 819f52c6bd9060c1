"""``manage.py migrate``, of which only one runs at a time on a database."""

from typing import Any, Final

from django.core.management.commands import migrate
from django.db import connections

#: The key of the session advisory lock that a running migration holds.
MIGRATION_LOCK: Final = 7_204_002


class Command(migrate.Command):
    """The framework's command; a second one waits for the first, and finds nothing left to do."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate under a lock, without the time limit that a request's statement has."""
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            (limit,) = cursor.fetchone()
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SET lock_timeout = 0")
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
            cursor.execute("SET lock_timeout = '5s'")
        try:
            super().handle(*args, **options)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
                cursor.execute("SELECT set_config('statement_timeout', %s, false)", [limit])
