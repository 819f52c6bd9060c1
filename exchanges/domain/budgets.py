"""The arithmetic of a shared budget of calls: how much of it is left, for whom, and who goes first.

A budget is a weight that may be spent within any span of time. Spending is counted in slots, a twentieth of the span
each, and a slot counts until it lies a whole span back; so no span, wherever it begins, sees more than the budget.

The script ``exchanges/adapters/governor.lua`` does the same for all processes at once; the two are tested against each
other.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from exchanges.domain.priorities import CallPriority

SLOTS: Final = 20

#: The part of a budget that is kept for each priority as long as it has not used it itself.
RESERVES: Final[Mapping[CallPriority, float]] = MappingProxyType(
    {
        CallPriority.CANCEL: 0.10,
        CallPriority.RECONCILE: 0.15,
        CallPriority.EXIT: 0.20,
        CallPriority.ENTRY: 0.15,
        CallPriority.DATA: 0.10,
        CallPriority.BACKFILL: 0.0,
    }
)

#: What one owner may use of the budget of an address in a span, however idle the others are: the next one to come must
#: not have to wait for a whole span.
OWNER_SHARE: Final = 0.5

#: Where what others spend at the venue is counted, beside the priorities.
FOREIGN: Final = len(CallPriority)

#: Tickets of one priority that one poll looks at.
MOST_LOOKED_AT: Final = 300


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *weight* in any *span_ms* milliseconds, which are a multiple of ``SLOTS``."""

    weight: int
    span_ms: int

    def part(self, share: float) -> "Limit":
        """Return a limit of the same span and a *share* of the weight, at least 1."""
        return Limit(max(1, int(self.weight * share)), self.span_ms)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call uses of a budget beside that of its address: its owner's part, or its key's limit."""

    name: str
    limit: Limit
    weight: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that asks to go out; ``owner`` is who shares fairly with whom, empty for the platform itself."""

    number: int
    priority: CallPriority
    weight: int
    owner: str
    claims: tuple[Claim, ...] = ()


@dataclass(slots=True)
class Polled:
    """What a poll has answered: who may go, and how long the others wait at least, in milliseconds.

    ``blocked`` maps a priority whose first ticket found no room at the address to the wait of the lightest call; ``held``
    maps tickets that wait for a claim of their own to theirs.
    """

    granted: list[int] = field(default_factory=list)
    blocked: dict[int, int] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)


def reserves_of(limit: Limit) -> list[int]:
    """Return what is kept of *limit* for each priority, in weight."""
    return [int(limit.weight * RESERVES[priority]) for priority in CallPriority]


def room(used: Sequence[int], *, weight: int, reserves: Sequence[int], priority: int) -> int:
    """Return what a call of *priority* may still use of a budget of *weight*.

    *used* is what each priority, and ``FOREIGN`` last, has spent within the span. Every priority leaves alone what those
    above it have not used of their reserves, and RECONCILE, which is routine most of the time, that of EXIT too.
    """
    kept = set(range(priority))
    if priority == CallPriority.RECONCILE:
        kept.add(int(CallPriority.EXIT))
    return weight - sum(used) - sum(max(0, reserves[each] - used[each]) for each in kept)


def goes_past(priority: int, blocked: Iterable[int]) -> bool:
    """Tell whether calls of *priority* may go although those of the *blocked* ones find no room.

    They wait for their betters, except that an exit does not wait for reconciliation, which leaves it its reserve.
    """
    return all((priority, each) == (CallPriority.EXIT, CallPriority.RECONCILE) for each in blocked)


class Window:
    """What was spent within the last span, by priority."""

    def __init__(self, span_ms: int) -> None:
        self._slot_ms = span_ms // SLOTS
        self._slots: dict[int, list[int]] = {}

    def spend(self, weight: int, *, kind: int, now_ms: int) -> None:
        """Count *weight* for a priority, or for ``FOREIGN``."""
        slot = self._slots.setdefault(now_ms // self._slot_ms, [0] * (FOREIGN + 1))
        slot[kind] += weight

    def used(self, *, now_ms: int) -> list[int]:
        """Return what counts now, by priority and for ``FOREIGN``."""
        oldest = now_ms // self._slot_ms - SLOTS
        for slot in [each for each in self._slots if each < oldest]:
            del self._slots[slot]
        return [sum(kinds) for kinds in zip(*self._slots.values(), strict=True)] or [0] * (
            FOREIGN + 1
        )

    def wait_ms(self, need: int, *, now_ms: int) -> int:
        """Return after how many milliseconds at least *need* of it does not count any more."""
        left = need
        if left <= 0:
            return 0
        for slot in sorted(self._slots):
            left -= sum(self._slots[slot])
            if left <= 0:
                return (slot + SLOTS + 1) * self._slot_ms - now_ms
        return (SLOTS + 1) * self._slot_ms


class LocalBudget:
    """The budget of one process, and who waits for it: what a process goes by while it is alone.

    Within a priority the owners take turns by what they have asked for, so that many calls of one do not stand before the
    few of another (start-time fair queueing; Goyal, Vin, Cheng 1996).
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._reserves = reserves_of(limit)
        self._window = Window(limit.span_ms)
        self._claimed: dict[str, Window] = {}
        self._waiting: dict[int, tuple[int, Ticket]] = {}
        self._turn: dict[int, int] = defaultdict(int)
        self._last: dict[tuple[int, str], int] = defaultdict(int)

    def spend(self, weight: int, *, kind: int, now_ms: int) -> None:
        """Count what is known to be spent without a ticket."""
        self._window.spend(weight, kind=kind, now_ms=now_ms)

    def used(self, *, now_ms: int) -> list[int]:
        """Return what is spent, by priority and for ``FOREIGN``."""
        return self._window.used(now_ms=now_ms)

    def line_up(self, ticket: Ticket) -> None:
        """Let a ticket wait for its turn."""
        place = (int(ticket.priority), ticket.owner)
        turn = max(self._turn[ticket.priority], self._last[place])
        self._last[place] = turn + ticket.weight
        self._waiting[ticket.number] = (turn, ticket)

    def withdraw(self, number: int) -> None:
        """Forget a ticket, if it still waits."""
        self._waiting.pop(number, None)

    def poll(self, *, now_ms: int) -> Polled:
        """Let go whom there is room for."""
        polled = Polled()
        for priority in CallPriority:
            if not goes_past(priority, polled.blocked):
                break
            queue = sorted(
                (turn, number)
                for number, (turn, ticket) in self._waiting.items()
                if ticket.priority == priority
            )
            for turn, number in queue[:MOST_LOOKED_AT]:
                if not self._let_go(self._waiting[number][1], polled, now_ms):
                    break
                if number in polled.granted:
                    self._turn[priority] = max(self._turn[priority], turn)
        if not self._waiting:
            self._turn.clear()
            self._last.clear()
            claimed = self._claimed.items()
            self._claimed = {name: each for name, each in claimed if any(each.used(now_ms=now_ms))}
        return polled

    def _let_go(self, ticket: Ticket, polled: Polled, now_ms: int) -> bool:
        """Grant a ticket or note why not; return False if those behind it wait as well."""
        used = self._window.used(now_ms=now_ms)
        left = room(
            used, weight=self._limit.weight, reserves=self._reserves, priority=ticket.priority
        )
        if ticket.weight > left:
            polled.blocked[ticket.priority] = self._window.wait_ms(1 - left, now_ms=now_ms)
            return False
        for claim in ticket.claims:
            window = self._window_of(claim)
            over = sum(window.used(now_ms=now_ms)) + claim.weight - claim.limit.weight
            if over > 0:
                polled.held[ticket.number] = window.wait_ms(over, now_ms=now_ms)
                return True
        self._window.spend(ticket.weight, kind=ticket.priority, now_ms=now_ms)
        for claim in ticket.claims:
            self._window_of(claim).spend(claim.weight, kind=0, now_ms=now_ms)
        polled.granted.append(ticket.number)
        del self._waiting[ticket.number]
        return True

    def _window_of(self, claim: Claim) -> Window:
        return self._claimed.setdefault(claim.name, Window(claim.limit.span_ms))
