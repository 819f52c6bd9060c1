"""Everything of a person closed at once: no entries from now on, and every position to the market."""

from datetime import datetime

from foundation.audit import Actor
from foundation.transactions import transactional
from trading.models import (
    IDLE_STATES,
    CommandKind,
    Deployment,
    ReleaseRule,
    RestrictionCause,
    RestrictionState,
)
from trading.services import locks, restrictions, wishes


@transactional
def flatten_all(
    *, owner_id: int, idempotency_key: str, reason: str, by: Actor, now: datetime
) -> int:
    """Let nothing of *owner_id* open anything, and close what is open; return how many are told.

    What is told to the deployments is carried out by the workers at once. Entries stay forbidden
    until the person lets them go on. The same key again tells nobody anything twice.
    Raises ReasonRequiredError.
    """
    why = restrictions.checked_reason(reason)
    restrictions.restrict(
        target=restrictions.of_person(owner_id, name="Everything of yours"),
        state=RestrictionState.REDUCING,
        cause=RestrictionCause.OWNER,
        reason=why,
        release_rule=ReleaseRule.OWNER,
        by=by,
        now=now,
    )
    at_work = Deployment.objects.filter(owner_id=owner_id).exclude(actual_state__in=IDLE_STATES)
    told = locks.lock_deployments(at_work)
    for deployment in told:
        wishes.record(
            deployment,
            kind=CommandKind.FLATTEN,
            idempotency_key=f"all-{idempotency_key}"[:100],
            by=by,
            now=now,
            note=why,
        )
    return len(told)
