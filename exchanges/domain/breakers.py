"""When a venue counts as broken, and what is then still sent: for a process that is on its own.

All processes together go by ``exchanges/adapters/governor_report.lua``, which does the same.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from exchanges.domain.priorities import CallPriority


@dataclass(frozen=True, slots=True)
class BreakerTerms:
    """When a venue counts as broken: *least* calls in a span, half of them bad; for how long, at first and at most."""

    span_ms: int
    least: int
    base_ms: int
    longest_ms: int


class Verdict(Enum):
    """What becomes of a call while a venue may be broken; a PROBE is let through alone, to see whether it is back."""

    PASS = 1
    REFUSE = 2
    PROBE = 3


class LocalBreaker:
    """Counts how calls went, and holds back what is not urgent while most of them fail.

    After a pause one call tries whether the venue is back; if not, the next pause is twice as long.
    """

    def __init__(self, terms: BreakerTerms) -> None:
        self._terms = terms
        self._seen: deque[tuple[int, int, int]] = deque()
        self._level = 0
        self._open_until_ms = 0
        self._probe_until_ms = 0

    def note(self, *, ok: int, bad: int, now_ms: int, is_barred: bool = False) -> None:
        """Count calls that were answered and calls that were not; *is_barred* if the venue has barred us."""
        if is_barred or (self._level and bad and now_ms >= self._open_until_ms):
            if now_ms >= self._open_until_ms:
                self._open(now_ms)
        elif self._level and ok and now_ms >= self._open_until_ms:
            self._level = self._probe_until_ms = 0
            self._seen.clear()
        elif not self._level:
            self._seen.append((now_ms, ok, bad))
            self._judge(now_ms)

    def verdict(self, priority: CallPriority, *, now_ms: int) -> Verdict:
        """Return what becomes of a call now; whoever lets a PROBE through says so with ``probing``."""
        if not self._level or priority in {CallPriority.CANCEL, CallPriority.EXIT}:
            return Verdict.PASS
        if now_ms < self._open_until_ms or now_ms < self._probe_until_ms:
            return Verdict.REFUSE
        return Verdict.PROBE

    def probing(self, *, until_ms: int) -> None:
        """Let no other call try the venue until then."""
        self._probe_until_ms = until_ms

    def _judge(self, now_ms: int) -> None:
        while self._seen and self._seen[0][0] < now_ms - self._terms.span_ms:
            self._seen.popleft()
        ok, bad = (sum(each[place] for each in self._seen) for place in (1, 2))
        if ok + bad >= self._terms.least and 2 * bad >= ok + bad:
            self._open(now_ms)

    def _open(self, now_ms: int) -> None:
        self._level += 1
        lasts_ms = min(self._terms.longest_ms, self._terms.base_ms * 2 ** (self._level - 1))
        self._open_until_ms, self._probe_until_ms = now_ms + lasts_ms, 0
        self._seen.clear()
