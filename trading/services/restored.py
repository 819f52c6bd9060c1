"""A database that is another one than before: restored, copied or failed over, so that it may have forgotten orders.

A copy of the platform's data beside the platform itself would trade with the same keys.
"""

from datetime import datetime

from foundation import database_identity
from foundation.transactions import transactional
from trading.models import DatabaseMark, ReleaseRule, RestrictionCause, RestrictionState
from trading.services import causes, restrictions
from trading.services.causes import Found


@transactional
def halt_if_restored(*, now: datetime) -> None:
    """Halt everything once the database is not the one that was seen last; an operator lets it go on."""
    identity = database_identity.read()
    if DatabaseMark.objects.filter(identity=identity).exists():
        return
    mark, is_first = DatabaseMark.objects.select_for_update().get_or_create(
        pk=1, defaults={"identity": identity, "seen_at": now}
    )
    if is_first or mark.identity == identity:
        return
    mark.identity, mark.seen_at = identity, now
    mark.save(update_fields=["identity", "seen_at"])
    causes.impose(
        Found(
            restrictions.of_platform(),
            "The database was restored, copied or failed over. See that nothing else trades with its keys.",
        ),
        cause=RestrictionCause.RESTORED,
        rule=ReleaseRule.OPERATOR,
        state=RestrictionState.HALTED,
        now=now,
    )
