"""Who may call a venue, and when: one budget for each address and key, shared by all processes.

A call says what it is for with ``calling_as``; the client passes its ``Gate`` just before it signs a request, so that
no signature grows old in the queue. What cannot go in its time is refused before anything is sent.
"""

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from exchanges.adapters import limits
from exchanges.adapters.budget_store import SharedBudget
from exchanges.adapters.call_figures import VENUE_BANS
from exchanges.adapters.lanes import Lane
from exchanges.adapters.limits import VenueLimits
from exchanges.adapters.packs.base import VenuePack
from exchanges.domain.breakers import BreakerTerms
from exchanges.domain.budgets import OWNER_SHARE, Claim
from exchanges.domain.priorities import CallPriority

__all__ = ("CallPriority", "Gate", "calling_as", "current_priority", "gate_of", "within")

#: So much of a call's time is left for the answer: going out with less would only make an order's fate unknown.
_ANSWER_SHARE: Final = 0.25

#: Of what a venue allows a key, what exits may use: the entries of the same key leave them some.
_URGENT_SHARE: Final = 0.9

#: A pause that a venue asks for without saying how long, and the longest that it is believed, in seconds.
_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 86_400.0

_BARRED: Final = 418
_USED_WEIGHT: Final = ("X-MBX-USED-WEIGHT-1M", "X-MBX-USED-WEIGHT")

_priority: ContextVar[CallPriority] = ContextVar("call_priority", default=CallPriority.DATA)
_patience_s: ContextVar[float | None] = ContextVar("call_patience", default=None)
_deadline_s: ContextVar[float | None] = ContextVar("call_deadline", default=None)


@contextmanager
def calling_as(priority: CallPriority, *, patience_s: float | None = None) -> Iterator[None]:
    """Say what the calls within the block, and in tasks begun there, are for; without it they are DATA.

    With *patience_s* they wait for their turn at most so long: what was looked at before may have changed.
    """
    token, patience = _priority.set(priority), _patience_s.set(patience_s)
    try:
        yield
    finally:
        _patience_s.reset(patience)
        _priority.reset(token)


def current_priority() -> CallPriority:
    """Return what the call that is being made is for."""
    return _priority.get()


@asynccontextmanager
async def within(timeout_s: float) -> AsyncIterator[None]:
    """Give the block so long, and let its calls wait for their turn only as long as leaves time for an answer.

    Raises TimeoutError when the time is over.
    """
    waits_s = (1 - _ANSWER_SHARE) * timeout_s
    patience_s = _patience_s.get()
    if patience_s is not None:
        waits_s = min(waits_s, patience_s)
    token = _deadline_s.set(time.monotonic() + waits_s)
    try:
        async with asyncio.timeout(timeout_s):
            yield
    finally:
        _deadline_s.reset(token)


@dataclass(frozen=True, slots=True)
class Caller:
    """In whose name calls are made: ``owner`` shares fairly with other owners, ``key`` has a limit of its own.

    Both empty is the platform itself, which asks for public data.
    """

    owner: str = ""
    key: str = ""

    @classmethod
    def of(cls, *, owner_id: int, api_key: str) -> "Caller":
        """Return the caller that has an API key; its name tells nothing of the key."""
        return cls(str(owner_id), hashlib.sha256(api_key.encode()).hexdigest()[:24])


class Gate:
    """What every call of one client passes: once before it is signed, once with its answer."""

    def __init__(self, lane: "_SharedLane", caller: Caller) -> None:
        self._lane = lane
        self._caller = caller

    async def admit(self, *, cost: float, weight: int, is_order: bool) -> None:
        """Return when a call may go out; raise BudgetSpentError or VenueBrokenError if it may not.

        *weight* is what the pack knows, *cost* what the exchange library does, which looks at parameters too, as a
        multiple of its pause between calls; the heavier counts.
        """
        lane = self._lane.lane
        by_cost = limits.weight_of(
            cost, call_pause_ms=self._lane.call_pause_ms, limit=self._lane.documented.address
        )
        of_key, weight = weight, max(weight, by_cost)
        deadline_s = _deadline_s.get()
        patience_s = settings.HORIZONS.venue_timeout_s
        if deadline_s is not None:
            patience_s = max(0.0, deadline_s - time.monotonic())
        await lane.admit(
            _priority.get(),
            weight=weight,
            owner=self._caller.owner,
            claims=self._claims(weight, of_key=of_key, is_order=is_order),
            patience_s=patience_s,
        )

    def _claims(self, weight: int, *, of_key: int, is_order: bool) -> tuple[Claim, ...]:
        """Return what a call uses beside the budget of the address; nothing keeps a person from getting out."""
        is_urgent = _priority.get() in {CallPriority.CANCEL, CallPriority.EXIT}
        claims = []
        if self._caller.owner and not is_urgent:
            share = self._lane.lane.limit.part(OWNER_SHARE)
            claims.append(Claim(f"owner:{self._caller.owner}", share, weight))
        orders, by_key = self._lane.limits.orders, self._lane.limits.key
        part = _URGENT_SHARE if is_urgent else settings.VENUE_BUDGET_SHARE
        if self._caller.key and is_order and orders is not None:
            claims.append(Claim(f"key:{self._caller.key}", orders.part(part), 1))
        if self._caller.key and by_key is not None:
            claims.append(Claim(f"key-weight:{self._caller.key}", by_key.part(part), of_key))
        return tuple(claims)

    def take_answer(self, *, status: int, headers: Mapping[str, str]) -> None:
        """Take in what an answer tells of the venue's patience and health."""
        lane = self._lane.lane
        for name in _USED_WEIGHT:
            used = headers.get(name, "")
            if used.isascii() and used.isdigit():
                lane.note_used(int(used[:9]))
                break
        if status in {HTTPStatus.TOO_MANY_REQUESTS, _BARRED}:
            usual_s = settings.HORIZONS.ban_s if status == _BARRED else _PAUSE_S
            VENUE_BANS.labels(self._lane.venue, str(status)).inc()
            lane.note_ban(
                _pause_s(headers.get("Retry-After", ""), usual_s), is_barred=status == _BARRED
            )
        else:
            lane.note(is_ok=status < HTTPStatus.INTERNAL_SERVER_ERROR)

    def take_failure(self) -> None:
        """Take in that a call was sent, or tried to be, and no answer came."""
        self._lane.lane.note(is_ok=False)

    def take_limits(self, body: bytes) -> None:
        """Take in the limits that a venue publishes with its list of markets."""
        self._lane.publish(limits.published(body, self._lane.limits))


class _SharedLane:
    """The budget of one venue and address with what is known of the venue's limits."""

    def __init__(self, pack: VenuePack, name: str, *, call_pause_ms: float) -> None:
        self.venue = pack.ccxt_id
        self.call_pause_ms = call_pause_ms
        self.documented = self.limits = limits.documented(pack)
        horizons = settings.HORIZONS
        self.lane = Lane(
            pack.ccxt_id,
            limit=self.limits.address.part(settings.VENUE_BUDGET_SHARE),
            store=SharedBudget(name),
            sharers=settings.VENUE_PROCESSES,
            terms=BreakerTerms(
                span_ms=60_000,
                least=20,
                base_ms=int(1_000 * horizons.breaker_s),
                longest_ms=int(20_000 * horizons.breaker_s),
            ),
        )

    def publish(self, known: VenueLimits) -> None:
        """Go by other limits from now on."""
        self.limits = known
        self.lane.limit = known.address.part(settings.VENUE_BUDGET_SHARE)


class _Lanes(threading.local):
    """The lanes of this thread: one that works on tasks has one event loop at a time."""

    def __init__(self) -> None:
        self.by_name: dict[str, _SharedLane] = {}
        self.pid = os.getpid()


_lanes = _Lanes()


def gate_of(
    pack: VenuePack, *, address: str, call_pause_ms: float, caller: Caller | None = None
) -> Gate:
    """Return the gate of a client that speaks to the venue of *pack* at *address* from here.

    *call_pause_ms* is the pause between two calls of cost 1 that the exchange library knows.
    """
    name = lane_name(pack, address)
    if _lanes.pid != os.getpid():
        # A fork speaks for itself: it has its own place in every queue.
        _lanes.by_name, _lanes.pid = {}, os.getpid()
    if name not in _lanes.by_name:
        _lanes.by_name[name] = _SharedLane(pack, name, call_pause_ms=call_pause_ms)
    return Gate(_lanes.by_name[name], caller or Caller())


def lane_name(pack: VenuePack, address: str) -> str:
    """Return the name of the budget for calls by *pack* to *address* from this machine."""
    return f"{pack.ccxt_id} at {urlsplit(address).netloc} | {settings.EGRESS_NAME}"


def _pause_s(text: str, usual_s: float) -> float:
    """Return the seconds of a ``Retry-After``; a date, or nothing, is *usual_s*."""
    if not (text.isascii() and text.isdigit()):
        return usual_s
    return min(max(float(text[:9]), _PAUSE_S), _LONGEST_PAUSE_S)
