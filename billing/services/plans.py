"""What operators decide about plans: how much each allows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from billing.domain.limits import Limit
from billing.models import Plan
from billing.selectors.products import ProductNotFoundError
from foundation import audit
from foundation.audit import Actor
from foundation.transactions import transactional
from market.errors import FieldProblem, InvalidInputError

_MOST: Final = 1_000_000_000


class InvalidLimitError(InvalidInputError):
    """A limit that no plan can have."""

    code = "invalid_limit"

    def __init__(self, limit: Limit) -> None:
        message = f"Use a number from 0 to {_MOST:,}, or nothing for no limit."
        super().__init__(message, problems=[FieldProblem(limit.value, self.code, message)])


@transactional
def change_limits(
    *, plan_id: int, limits: Mapping[Limit, int | None], by: Actor, now: datetime
) -> Plan:
    """Change how much a plan allows, from now on: what runs already goes on; None is no limit.

    Raises ProductNotFoundError for no plan, or InvalidLimitError.
    """
    for limit, allowed in limits.items():
        if allowed is not None and not 0 <= allowed <= _MOST:
            raise InvalidLimitError(limit)
    plan = Plan.objects.select_for_update(of=("self",)).filter(pk=plan_id).first()
    if plan is None:
        raise ProductNotFoundError(str(plan_id))
    old = {limit.value: getattr(plan, limit.value) for limit in limits}
    new = {limit.value: allowed for limit, allowed in limits.items()}
    changed = [name for name in new if new[name] != old[name]]
    if changed:
        for name in changed:
            setattr(plan, name, new[name])
        plan.save(update_fields=changed)
        audit.record(
            actor=by,
            verb="plan.limits_changed",
            target=plan,
            detail={
                "old": {name: old[name] for name in changed},
                "new": {name: new[name] for name in changed},
                "at": now.isoformat(),
            },
        )
    return plan
