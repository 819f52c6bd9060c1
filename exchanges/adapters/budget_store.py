"""Budgets of calls in Redis, where all processes share them; nothing here waits for a call's turn."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from exchanges.domain.breakers import BreakerTerms
from exchanges.domain.budgets import Claim, Limit, Polled, Ticket, reserves_of

#: Tickets of a process that has not asked for so long are not waited for.
ALIVE_MS: Final = 2_000

#: The names of all budgets that are in use, with the time of the last call.
LANES: Final = "governor:lanes"

_PARTS: Final = ("lane", "waiting", "tickets", "turns", "alive", "held", "ban", "breaker")

#: A call to a venue waits for the answer: without one in this time the process goes on alone.
_TIMEOUT_S: Final = 0.25

_FOLDER: Final = Path(__file__).parent


class StoreAwayError(Exception):
    """Redis does not answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a poll of the shared budget says.

    ``epoch`` names the life of the counters: another one than before means that they began anew. ``banned_ms`` is how
    long the venue still refuses this address.
    """

    polled: Polled
    refused: Sequence[int]
    epoch: str
    used: int
    banned_ms: int


def keys_of(lane: str) -> list[str]:
    """Return the names under which the budget *lane* is kept, and the beginning of those of its claims."""
    # The braces keep all of it on one node, if there are several.
    return [f"governor:{{{lane}}}:{part}" for part in (*_PARTS, "claim:")]


class SharedBudget:
    """One budget in Redis, as one process sees it."""

    def __init__(self, lane: str) -> None:
        self._lane = lane
        self._keys = keys_of(lane)
        self._redis = connection(settings.REDIS_URL)
        self._poll = self._redis.register_script(_script("governor.lua"))
        self._report = self._redis.register_script(_script("governor_report.lua"))
        self._process = secrets.token_hex(6)

    def poll(
        self,
        limit: Limit,
        *,
        tickets: Iterable[Ticket] = (),
        withdrawn: Sequence[int] = (),
        carried: int = 0,
        observed: int = 0,
        probe_ms: int = 15_000,
        now_ms: int | None = None,
    ) -> Answer:
        """Line up new *tickets*, let go whom there is room for, and say how the others stand.

        *carried* is what this process spent without these counters; *observed* is what the venue says is spent. Raises
        StoreAwayError.
        """
        ask = {
            "now": now_ms,
            "lane": self._lane,
            "process": self._process,
            "nonce": self._process + secrets.token_hex(2),
            "limit": limit.weight,
            "span": limit.span_ms,
            "reserves": reserves_of(limit),
            "tickets": [_ticket(each) for each in tickets],
            "withdrawn": list(withdrawn),
            "carried": carried,
            "observed": observed,
            "alive": ALIVE_MS,
            "probe": probe_ms,
        }
        answer = self._run(self._poll, [*self._keys, LANES], ask)
        return Answer(
            polled=Polled(
                granted=list(answer["granted"]),
                blocked=_numbers(answer["blocked"]),
                held=_numbers(answer["held"]),
            ),
            refused=list(answer["refused"]),
            epoch=answer["epoch"],
            used=int(answer["used"]),
            banned_ms=int(answer["banned"]),
        )

    def report(
        self,
        terms: BreakerTerms,
        *,
        ok: int,
        bad: int,
        ban_ms: int = 0,
        is_barred: bool = False,
        now_ms: int | None = None,
    ) -> None:
        """Tell all processes how calls went, and for how long the venue refuses them; raise StoreAwayError."""
        ask = {
            "now": now_ms,
            "ok": ok,
            "bad": bad,
            "ban": ban_ms,
            "is_barred": is_barred,
            "span": terms.span_ms,
            "least": terms.least,
            "base": terms.base_ms,
            "longest": terms.longest_ms,
        }
        self._run(self._report, self._keys[6:8], ask)

    def _run(self, script: Any, keys: Sequence[str], ask: Mapping[str, Any]) -> Any:
        try:
            answer = script(keys=keys, args=[json.dumps(ask)])
        except RedisError as error:
            raise StoreAwayError(type(error).__name__) from None
        return json.loads(answer) if answer != b"OK" else None


@lru_cache(maxsize=4)
def connection(url: str) -> Redis:
    """Return this process's connections to the Redis at *url*, made for short questions."""
    # Synchronous on purpose: a round trip takes a tenth of a millisecond, less than an event loop needs to arrange it,
    # and no connection belongs to a loop or survives a fork.
    return Redis.from_url(
        url,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )


@lru_cache
def _script(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _ticket(ticket: Ticket) -> Mapping[str, Any]:
    return {
        "number": ticket.number,
        "priority": int(ticket.priority),
        "weight": ticket.weight,
        "owner": ticket.owner,
        "claims": [_claim(each) for each in ticket.claims],
    }


def _claim(claim: Claim) -> Mapping[str, Any]:
    return {
        "name": claim.name,
        "limit": claim.limit.weight,
        "span": claim.limit.span_ms,
        "weight": claim.weight,
    }


def _numbers(found: Any) -> dict[int, int]:
    # Lua cannot tell an empty list from an empty table.
    return {int(name): int(wait) for name, wait in found.items()} if found else {}
