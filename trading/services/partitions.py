"""Decisions are partitioned by month; the months to come are made ahead."""

from datetime import datetime
from typing import Final

from django.db import connection

from foundation.transactions import transactional

_MONTHS_AHEAD: Final = 3


@transactional
def ensure_partitions(*, now: datetime) -> int:
    """Make the partitions of this month and of the next ones; return how many were missing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT trading_ensure_decision_partitions(%s, %s)", [now, _MONTHS_AHEAD])
        row = cursor.fetchone()
    return int(row[0]) if row else 0
