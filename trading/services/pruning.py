"""Decisions that say nothing new, forgotten after a while; what led to orders stays."""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from foundation.transactions import transactional
from strategies.reasons import ReasonCode

logger = logging.getLogger(__name__)

#: For so long every bar's reason can be looked up.
KEPT: Final = timedelta(days=90)

#: Rows that one statement takes at most, so that nobody waits for it.
_AT_ONCE: Final = 10_000

#: Statements of one run; a backlog is worked off by the next ones.
_TURNS: Final = 50

_QUIET: Final = [reason.value for reason in ReasonCode if not reason.acts]
_ACTING: Final = [reason.value for reason in ReasonCode if reason.acts]

#: A deployment that did nothing while its group acted keeps its row, which says so.
_OF_DEPLOYMENTS: Final = """
    DELETE FROM trading_deploymentdecision WHERE (id, bar_close_at) IN (
        SELECT own.id, own.bar_close_at
        FROM trading_deploymentdecision own
        JOIN trading_deploymentrevision revision ON revision.id = own.revision_id
        WHERE own.bar_close_at < %(before)s AND own.reason = ANY(%(quiet)s)
          AND NOT EXISTS (
              SELECT FROM trading_groupdecision shared
              WHERE shared.group_id = revision.group_id
                AND shared.instrument_id = own.instrument_id
                AND shared.bar_close_at = own.bar_close_at
                AND shared.reason = ANY(%(acting)s)
          )
        LIMIT %(most)s
    )
"""
_OF_GROUPS: Final = """
    DELETE FROM trading_groupdecision WHERE (id, bar_close_at) IN (
        SELECT id, bar_close_at FROM trading_groupdecision
        WHERE bar_close_at < %(before)s AND reason = ANY(%(quiet)s)
        LIMIT %(most)s
    )
"""


def prune_decisions(*, now: datetime) -> int:
    """Delete decisions by which nothing was done and that are older than ``KEPT``; return how many."""
    deleted = 0
    for statement in (_OF_DEPLOYMENTS, _OF_GROUPS):
        for _ in range(_TURNS):
            count = _delete_some(statement, before=now - KEPT)
            deleted += count
            if count < _AT_ONCE:
                break
    if deleted:
        logger.info("decisions.pruned", extra={"deleted": deleted})
    return deleted


@transactional
def _delete_some(statement: str, *, before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            statement, {"before": before, "quiet": _QUIET, "acting": _ACTING, "most": _AT_ONCE}
        )
        return int(cursor.rowcount)
