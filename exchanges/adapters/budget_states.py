"""How the budgets of calls to venues stand, for operators: read from Redis, where all processes share them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from exchanges.adapters.budget_store import LANES, connection, keys_of
from exchanges.domain.budgets import SLOTS


@dataclass(frozen=True, slots=True)
class BudgetState:
    """One budget: what of it is spent within its span, who waits, and whether the venue may be called at all.

    ``name`` is the venue with its host and the name of our address. ``banned_s`` is how long the venue still refuses us;
    ``is_broken`` whether only exits and cancellations are sent, because it fails too often.
    """

    name: str
    used: int
    limit: int
    span_s: int
    waiting: int
    banned_s: float
    is_broken: bool

    @property
    def used_part(self) -> float:
        """What is spent, as a fraction of the budget."""
        return self.used / self.limit if self.limit else 0.0


def budget_states(*, now: datetime) -> Sequence[BudgetState]:
    """Return every budget that was used within the last hour, by name.

    Raises redis.exceptions.RedisError if Redis does not answer.
    """
    redis = connection(settings.REDIS_URL)
    now_ms = int(now.timestamp() * 1_000)
    found: Any = redis.zrangebyscore(LANES, now_ms - 3_600_000, "+inf")
    names = [name.decode() for name in found]
    if not names:
        return []
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            lane, waiting, _, _, _, _, ban, breaker, _ = keys_of(name)
            pipeline.hgetall(lane)
            pipeline.zcard(waiting)
            pipeline.pttl(ban)
            pipeline.hget(breaker, "level")
        answers = pipeline.execute()
    states = [
        _state(name, *answers[4 * place : 4 * place + 4], now_ms=now_ms)
        for place, name in enumerate(names)
    ]
    # Nothing is kept of one that was not used for two spans, unless its venue refuses us.
    told = [each for each in states if each.limit or each.banned_s or each.is_broken]
    return sorted(told, key=lambda state: state.name)


def _state(
    name: str,
    lane: dict[bytes, bytes],
    waiting: int,
    ban_ms: int,
    level: bytes | None,
    *,
    now_ms: int,
) -> BudgetState:
    span_ms = int(lane.get(b"span", 60_000))
    oldest = now_ms // (span_ms // SLOTS) - SLOTS
    spent = [
        int(weight)
        for field, weight in lane.items()
        if b":" in field and int(field.partition(b":")[0]) >= oldest
    ]
    return BudgetState(
        name=name,
        used=sum(spent),
        limit=int(lane.get(b"limit", 0)),
        span_s=span_ms // 1_000,
        waiting=waiting,
        banned_s=max(0, ban_ms) / 1_000,
        is_broken=level is not None,
    )
