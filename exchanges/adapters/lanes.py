"""The queue of one process before the budget of one venue and address.

All calls of a process that ask within one turn of its event loop go to Redis together, so a storm costs few round trips.
While Redis is away a process goes on with its own part of the budget, and comes back by itself.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Final

from exchanges.adapters.budget_store import Answer, SharedBudget, StoreAwayError
from exchanges.adapters.call_figures import BUDGET_ALONE, CALL_WAIT_SECONDS, CALLS_REFUSED
from exchanges.domain.breakers import BreakerTerms, LocalBreaker, Verdict
from exchanges.domain.budgets import (
    FOREIGN,
    Claim,
    Limit,
    LocalBudget,
    Polled,
    Ticket,
    reserves_of,
    room,
)
from exchanges.domain.priorities import CallPriority

logger = logging.getLogger(__name__)

#: Whoever waits asks again after this long at the latest: another process may have left.
_LONGEST_PAUSE_S: Final = 0.25
_SHORTEST_PAUSE_S: Final = 0.005
_BLOCKED_PAUSE_S: Final = 0.05
#: Redis is tried again after these pauses.
_FIRST_ABSENCE_S: Final = 0.5
_LONGEST_ABSENCE_S: Final = 5.0
#: So long one call may try whether a broken venue is back, in milliseconds.
_PROBE_MS: Final = 15_000
#: How calls went is told at most this often, unless it is urgent.
_REPORT_S: Final = 1.0


class BudgetSpentError(Exception):
    """There is no room for the call in the time that it has; nothing was sent."""


class VenueBrokenError(Exception):
    """The venue fails so often that only what makes things smaller is sent; this was not."""


class _Line(Enum):
    SHARED = 1
    ALONE = 2


@dataclass(slots=True)
class _Caller:
    ticket: Ticket
    turn: asyncio.Future[None]
    until_s: float
    #: Where its ticket lies.
    line: "_Line | None" = None


@dataclass(slots=True)
class _Spent:
    """What went out, and in which life of the shared counters it was counted."""

    at_s: float
    weight: int
    epoch: str


class Lane:
    """One budget as one process sees it; belongs to one thread.

    Parameters
    ----------
    venue
        What the figures call it.
    limit
        The budget: the part of the venue's limit that we use.
    sharers
        Among how many processes the budget is divided while Redis is away.
    """

    def __init__(
        self, venue: str, *, limit: Limit, store: SharedBudget, sharers: int, terms: BreakerTerms
    ) -> None:
        self.limit = limit
        self._venue = venue
        self._store = store
        self._sharers = sharers
        self._terms = terms
        self._numbers = 0
        self._callers: dict[int, _Caller] = {}
        self._withdrawn: list[int] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.Handle | None = None
        self._spent: deque[_Spent] = deque()
        self._epoch = ""
        self._carried = 0
        self._used = 0
        self._observed = 0
        self._banned_until_s = 0.0
        self._alone: LocalBudget | None = None
        self._breaker = LocalBreaker(terms)
        self._away_until_s = 0.0
        self._absence_s = _FIRST_ABSENCE_S
        self._ok = self._bad = 0
        self._reported_s = 0.0

    async def admit(
        self,
        priority: CallPriority,
        *,
        weight: int,
        owner: str,
        claims: tuple[Claim, ...],
        patience_s: float,
    ) -> None:
        """Return when the call may go out.

        Raises BudgetSpentError as soon as it is clear that this will not be within *patience_s*, and VenueBrokenError.
        """
        self._adopt(asyncio.get_running_loop())
        self._numbers += 1
        number, asked_s = self._numbers, time.monotonic()
        ticket = _fitted(Ticket(number, priority, weight, owner, claims), self.limit)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        caller = _Caller(ticket, turn, asked_s + patience_s)
        self._callers[number] = caller
        self._ask_soon(0.0)
        try:
            await turn
        except (BudgetSpentError, VenueBrokenError) as error:
            reason = "budget" if isinstance(error, BudgetSpentError) else "breaker"
            CALLS_REFUSED.labels(self._venue, priority.name, reason).inc()
            raise
        finally:
            if self._callers.pop(number, None) is not None and caller.line is not None:
                self._withdraw(number)
        CALL_WAIT_SECONDS.labels(self._venue, priority.name).observe(time.monotonic() - asked_s)

    def note(self, *, is_ok: bool) -> None:
        """Count how a call went."""
        if is_ok:
            self._ok += 1
        else:
            self._bad += 1
        if time.monotonic() - self._reported_s >= _REPORT_S:
            self._report()

    def note_used(self, used: int) -> None:
        """Take in what the venue says is spent; it counts where it is more than we know of."""
        if used > self._used:
            self._observed = max(self._observed, used)

    def note_ban(self, seconds: float, *, is_barred: bool) -> None:
        """Hold back every call of every process for so long; the venue has asked for it, or barred us."""
        self._banned_until_s = max(self._banned_until_s, time.monotonic() + seconds)
        logger.warning("venue.ban", extra={"venue": self._venue, "seconds": round(seconds, 1)})
        self._report(ban_ms=int(seconds * 1_000), is_barred=is_barred)

    # --- asking ---------------------------------------------------------------------------------

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is self._loop:
            return
        # Whoever waited in a loop that has ended does not wait any more.
        self._withdrawn += [number for number, each in self._callers.items() if each.line]
        self._callers.clear()
        self._loop, self._timer = loop, None

    def _ask_soon(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        if delay_s:
            delay_s += random.uniform(0, 0.1 * delay_s)  # noqa: S311  spreads processes
            self._timer = loop.call_later(delay_s, self._ask)
        else:
            self._timer = loop.call_soon(self._ask)

    def _ask(self) -> None:
        self._timer = None
        if not self._callers and not self._withdrawn:
            return
        now_s = time.monotonic()
        polled, refused = self._poll(now_s)
        for number in polled.granted:
            self._let_go(number, now_s)
        for number in refused:
            self._refuse(number, VenueBrokenError())
        pause_s = self._refuse_the_late(polled, now_s)
        if self._callers:
            # Behind those that went there may be more whom one look did not reach.
            self._ask_soon(_SHORTEST_PAUSE_S if polled.granted else pause_s)

    def _poll(self, now_s: float) -> tuple[Polled, list[int]]:
        if now_s >= self._away_until_s:
            try:
                return self._poll_store(now_s)
            except StoreAwayError as error:
                self._go_alone(now_s, str(error))
        refused = self._refused_alone(now_s)
        return self._poll_alone(now_s, but=refused), refused

    def _poll_store(self, now_s: float) -> tuple[Polled, list[int]]:
        fresh = {
            number: each for number, each in self._callers.items() if each.line is not _Line.SHARED
        }
        answer = self._store.poll(
            self.limit,
            tickets=[each.ticket for each in fresh.values()],
            withdrawn=self._withdrawn,
            carried=self._carried,
            observed=self._observed,
        )
        for each in fresh.values():
            each.line = _Line.SHARED
        self._withdrawn, self._carried, self._observed = [], 0, 0
        self._take_in(answer, fresh, now_s)
        return answer.polled, list(answer.refused)

    def _take_in(self, answer: Answer, fresh: Mapping[int, _Caller], now_s: float) -> None:
        self._used = answer.used
        if answer.banned_ms:
            self._banned_until_s = max(self._banned_until_s, now_s + answer.banned_ms / 1_000)
        was_alone, self._alone, self._absence_s = self._alone, None, _FIRST_ABSENCE_S
        if was_alone is not None:
            self._breaker = LocalBreaker(self._terms)
        if was_alone is None and answer.epoch == self._epoch:
            return
        if was_alone is not None:
            logger.warning("governor.shared_again", extra={"venue": self._venue})
        # What went out while nobody counted, or before the counters began anew, is not known there: it is told with the
        # next question. So is who waits, unless this question has just told it.
        self._forget_spent(now_s)
        for each in self._spent:
            if each.epoch != answer.epoch:
                self._carried += each.weight
                each.epoch = answer.epoch
        if answer.epoch != self._epoch:
            self._epoch = answer.epoch
            for number, caller in self._callers.items():
                if number not in fresh:
                    caller.line = None

    def _let_go(self, number: int, now_s: float) -> None:
        caller = self._callers.get(number)
        if caller is None:
            return
        is_shared = caller.line is _Line.SHARED
        if not is_shared:
            # It may still wait in the shared line too, from before.
            self._withdrawn.append(number)
        epoch = self._epoch if is_shared else ""
        self._spent.append(_Spent(now_s, caller.ticket.weight, epoch))
        self._forget_spent(now_s)
        if not caller.turn.done():
            caller.turn.set_result(None)
        del self._callers[number]

    def _refuse(self, number: int, error: Exception) -> None:
        caller = self._callers.get(number)
        if caller is not None and not caller.turn.done():
            caller.turn.set_exception(error)

    def _refuse_the_late(self, polled: Polled, now_s: float) -> float:
        """Refuse those that cannot go in time, and return after how long to ask again, in seconds."""
        pauses = [_LONGEST_PAUSE_S]
        for number, caller in list(self._callers.items()):
            blocked_ms = polled.blocked.get(caller.ticket.priority, 0)
            wait_s = max(
                self._banned_until_s - now_s,
                max(blocked_ms, polled.held.get(number, 0)) / 1_000,
            )
            if now_s + max(wait_s, 0.0) >= caller.until_s:
                self._refuse(number, BudgetSpentError())
            else:
                pauses += [max(wait_s, _BLOCKED_PAUSE_S), caller.until_s - now_s]
        return max(min(pauses), _SHORTEST_PAUSE_S)

    def _withdraw(self, number: int) -> None:
        self._withdrawn.append(number)
        if self._alone is not None:
            self._alone.withdraw(number)
        elif self._timer is None:
            # As long as others believe that it waits, they keep room for it.
            self._ask_soon(0.0)

    def _forget_spent(self, now_s: float) -> None:
        while self._spent and self._spent[0].at_s < now_s - 1.1 * self.limit.span_ms / 1_000:
            self._spent.popleft()

    # --- while Redis is away --------------------------------------------------------------------

    def _go_alone(self, now_s: float, reason: str) -> None:
        self._away_until_s = now_s + self._absence_s
        self._absence_s = min(2 * self._absence_s, _LONGEST_ABSENCE_S)
        if self._alone is not None:
            return
        extra = {"venue": self._venue, "reason": reason, "sharers": self._sharers}
        logger.warning("governor.alone", extra=extra)
        BUDGET_ALONE.labels(self._venue).inc()
        part = self.limit.part(1 / self._sharers)
        self._alone = LocalBudget(part)
        # What all have spent until now still counts, and what we know of it may be old: half of the part at least is
        # taken for spent, so that all processes together stay below the venue's own limit.
        spent = max(part.weight // 2, min(part.weight, self._used // self._sharers))
        self._alone.spend(spent, kind=FOREIGN, now_ms=int(now_s * 1_000))

    def _refused_alone(self, now_s: float) -> list[int]:
        """Return whom the breaker holds back while nobody else's calls are known; one may try."""
        refused = []
        for number, caller in self._callers.items():
            now_ms = int(now_s * 1_000)
            verdict = self._breaker.verdict(caller.ticket.priority, now_ms=now_ms)
            if verdict is Verdict.REFUSE:
                refused.append(number)
            elif verdict is Verdict.PROBE:
                self._breaker.probing(until_ms=now_ms + _PROBE_MS)
        return refused

    def _poll_alone(self, now_s: float, *, but: Collection[int]) -> Polled:
        if self._alone is None or now_s < self._banned_until_s:
            return Polled()
        part = self.limit.part(1 / self._sharers)
        for number, caller in self._callers.items():
            if caller.line is not _Line.ALONE and number not in but:
                self._alone.line_up(_fitted(_divided(caller.ticket, self._sharers), part))
                caller.line = _Line.ALONE
        return self._alone.poll(now_ms=int(now_s * 1_000))

    def _report(self, *, ban_ms: int = 0, is_barred: bool = False) -> None:
        ok, bad, self._ok, self._bad = self._ok, self._bad, 0, 0
        now_s = self._reported_s = time.monotonic()
        if now_s < self._away_until_s:
            self._breaker.note(ok=ok, bad=bad, now_ms=int(now_s * 1_000), is_barred=is_barred)
            return
        try:
            self._store.report(self._terms, ok=ok, bad=bad, ban_ms=ban_ms, is_barred=is_barred)
        except StoreAwayError as error:
            self._go_alone(now_s, str(error))
            self._breaker.note(ok=ok, bad=bad, now_ms=int(now_s * 1_000), is_barred=is_barred)


def _fitted(ticket: Ticket, limit: Limit) -> Ticket:
    """Return *ticket* with weights that can ever go: a heavier call counts as all that there is."""
    largest = _largest(limit, ticket.priority)
    fits = all(each.weight <= each.limit.weight for each in ticket.claims)
    if fits and ticket.weight <= largest:
        return ticket
    claims = [replace(each, weight=min(each.weight, each.limit.weight)) for each in ticket.claims]
    return replace(ticket, weight=min(ticket.weight, largest), claims=tuple(claims))


@lru_cache(maxsize=256)
def _largest(limit: Limit, priority: CallPriority) -> int:
    left = room(
        [0] * (FOREIGN + 1),
        weight=limit.weight,
        reserves=reserves_of(limit),
        priority=priority,
    )
    return max(1, left)


def _divided(ticket: Ticket, sharers: int) -> Ticket:
    claims = [replace(each, limit=each.limit.part(1 / sharers)) for each in ticket.claims]
    return replace(ticket, claims=tuple(claims))
