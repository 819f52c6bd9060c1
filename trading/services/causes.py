"""What calls for a restriction by a rule: set while it is there, ended once it is over."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from foundation.audit import Actor
from foundation.transactions import part_of_transaction
from trading.models import (
    ReleaseRule,
    RestrictionCause,
    RestrictionState,
    TradingRestriction,
)
from trading.services import restrictions
from trading.services.restrictions import Target

#: Who sets and ends what rules say.
BY_RULES: Final = Actor.system("triggers")


@dataclass(frozen=True, slots=True)
class Found:
    """Something that calls for a restriction now."""

    target: Target
    reason: str


@part_of_transaction
def keep(found: Iterable[Found], *, cause: RestrictionCause, now: datetime) -> None:
    """Let exactly *found* be restricted for *cause*: what is no longer there is over."""
    wanted = {each.target.key: each for each in found}
    rows = TradingRestriction.objects.select_for_update(of=("self",)).filter(
        cause=cause, released_at=None
    )
    known = {row.target_key: row for row in rows}
    for key, each in wanted.items():
        if key not in known:
            impose(each, cause=cause, rule=ReleaseRule.AUTOMATIC, now=now)
    for key, row in known.items():
        if key not in wanted:
            restrictions.end_automatically(row, by=BY_RULES, note="Its cause is over.", now=now)


@part_of_transaction
def impose(
    found: Found,
    *,
    cause: RestrictionCause,
    rule: ReleaseRule,
    now: datetime,
    state: RestrictionState = RestrictionState.REDUCING,
    until: datetime | None = None,
) -> None:
    """Restrict what was found, and leave paper accounts alone unless everything is halted."""
    restrictions.restrict(
        target=found.target,
        state=state,
        cause=cause,
        reason=found.reason,
        release_rule=rule,
        by=BY_RULES,
        now=now,
        until=until,
        spares_paper=state is RestrictionState.REDUCING,
    )
