"""Programmed misbehavior: what a real exchange and the network in between do on bad days."""

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from exchanges.simulator.requests import Answer, Request

_LONGEST_DELAY_MS: Final = 600_000
_MOST_REQUESTS: Final = 1_000_000


class FaultKind(StrEnum):
    """What goes wrong: nothing but time, the connection closes, or something else is answered."""

    DELAY = "DELAY"
    CLOSE = "CLOSE"
    ANSWER = "ANSWER"


class FaultError(ValueError):
    """A description of a fault that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the next ``count`` requests of ``method`` (``*`` for any) to ``path``.

    After ``delay_ms``, the request is carried out first if ``executes``; only then it goes wrong:
    CLOSE ends the connection without an answer, ANSWER sends ``status`` and ``body`` instead.
    """

    method: str
    path: str
    kind: FaultKind
    count: int
    executes: bool
    delay_ms: int
    status: int
    body: str
    content_type: str
    retry_after_s: int | None

    @classmethod
    def parse(cls, document: Any) -> "Fault":
        """Read a JSON object (hence Any); raise FaultError if it is not a fault."""
        try:
            fault = cls(
                method=str(document.get("method", "*")).upper(),
                path=str(document["path"]),
                kind=FaultKind(document["kind"]),
                count=int(document.get("count", 1)),
                executes=bool(document.get("executes", document["kind"] == FaultKind.DELAY)),
                delay_ms=int(document.get("delay_ms", 0)),
                status=int(document.get("status", 200)),
                body=str(document.get("body", "")),
                content_type=str(document.get("content_type", "text/html")),
                retry_after_s=document.get("retry_after_s"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FaultError(f"The fault cannot be read: {error!r}.") from error
        fault.check()
        return fault

    def check(self) -> None:
        """Raise FaultError unless every number is within its bounds."""
        if not 1 <= self.count <= _MOST_REQUESTS:
            raise FaultError(f"count must lie within 1 and {_MOST_REQUESTS}.")
        if not 0 <= self.delay_ms <= _LONGEST_DELAY_MS:
            raise FaultError(f"delay_ms must lie within 0 and {_LONGEST_DELAY_MS}.")
        if not 200 <= self.status <= 599:
            raise FaultError("status must lie within 200 and 599.")
        if self.kind is FaultKind.DELAY and not self.executes:
            raise FaultError("A delayed request is carried out; use CLOSE to drop it.")
        if "\n" in self.content_type or "\r" in self.content_type:
            raise FaultError("content_type must be one line.")

    def answer(self) -> Answer:
        """Return what is answered instead of the truth."""
        retry_after = self.retry_after_s
        headers = {} if retry_after is None else {"Retry-After": str(int(retry_after))}
        return Answer(self.status, self.body.encode(), self.content_type, headers)


class Faults:
    """The programmed faults, used up in the order in which they were programmed."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def program(self, fault: Fault) -> None:
        """Let *fault* happen after those programmed before."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Let everything work again."""
        self._waiting.clear()

    def take(self, request: Request) -> Fault | None:
        """Return the fault that *request* meets, using it up by one, or None."""
        for place, fault in enumerate(self._waiting):
            if fault.path == request.path and fault.method in {"*", request.method}:
                if fault.count == 1:
                    del self._waiting[place]
                else:
                    self._waiting[place] = replace(fault, count=fault.count - 1)
                return fault
        return None
