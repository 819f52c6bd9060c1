"""Which database this is."""

from typing import Final

from django.db import connection

_MAY_TELL: Final = "SELECT has_function_privilege('pg_control_system()', 'execute')"
_CLUSTER: Final = "SELECT system_identifier FROM pg_control_system()"
#: The name of a file of the write-ahead log begins with the timeline.
_TIMELINE_AND_DATABASE: Final = """
    SELECT left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), oid
    FROM pg_database
    WHERE datname = current_database()
"""


def read() -> str:
    """Return ``cluster/timeline/database``: another one once the data were restored, copied or failed over.

    A cluster that was recovered to a point in time, or whose replica took over, has another timeline; a dump that
    was read back, another database or cluster. A service that does not tell its cluster leaves that empty.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TIMELINE_AND_DATABASE)
        timeline, database = cursor.fetchone()
        cursor.execute(_MAY_TELL)
        (may_tell,) = cursor.fetchone()
        cluster = ""
        if may_tell:
            cursor.execute(_CLUSTER)
            (cluster,) = cursor.fetchone()
    return f"{cluster}/{timeline}/{database}"
