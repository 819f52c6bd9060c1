"""How much of a plan a person uses; the apps above count, because billing does not know them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from billing.domain.limits import Limit
from billing.models import Plan
from billing.selectors.entitlements import Owner, limits_in, plan_of

#: Given the id of a person and an instant, tells how many places of a limit are taken.
Counter = Callable[[int, datetime], int]
_counters: dict[Limit, Counter] = {}


@dataclass(frozen=True, slots=True)
class LimitUsage:
    """One limit; ``allowed`` None is no limit, ``used`` None is what nobody counts between requests."""

    limit: Limit
    allowed: int | None
    used: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """A person's plan and what is used of each limit."""

    plan: Plan
    limits: Sequence[LimitUsage]


def count_with(limit: Limit, counter: Counter) -> None:
    """Let *counter* count what takes places of *limit*; called from ``AppConfig.ready`` of an app above."""
    _counters[limit] = counter


def usage_of(owner: Owner, *, now: datetime) -> Usage:
    """Return the person's plan and usage at *now*."""
    plan = plan_of(owner, now=now)
    owner_id = cast(int, owner.pk)
    lines = []
    for limit, allowed in limits_in(plan).items():
        counter = _counters.get(limit)
        used = counter(owner_id, now) if counter else None
        lines.append(LimitUsage(limit, allowed, used))
    return Usage(plan, lines)
