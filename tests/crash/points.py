"""The 26 steps of an order's life, each with the place at which a process dies right after it.

Right after a step is right before the next one, so every step is crossed from both sides. Most
places are crash points of the platform. What happens between two bytes of a request is nowhere in
our code: these four places lie in the socket, which the dying process has wrapped.
"""

import os
import signal
from asyncio import selector_events
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from foundation import crashpoints

_ORDER: Final = (b"POST /api/v3/order", b"POST /fapi/v1/order", b"POST /fapi/v1/algoOrder")
_CANCEL: Final = (b"DELETE /api/v3/order", b"DELETE /fapi/v1/order", b"DELETE /fapi/v1/algoOrder")
_STOP: Final = (b"type=STOP", b"algoOrder")


@dataclass(frozen=True, slots=True)
class WirePoint:
    """A place between the bytes: requests that begin with one of *heads* and contain one of *marks*."""

    heads: tuple[bytes, ...]
    marks: tuple[bytes, ...] = ()
    sends_half: bool = False

    def is_about(self, request: bytes) -> bool:
        """Tell whether these are the bytes of such a request."""
        marked = not self.marks or any(mark in request for mark in self.marks)
        return request.startswith(self.heads) and marked


WIRE_POINTS: Final[Mapping[str, WirePoint]] = MappingProxyType(
    {
        "wire.half_sent": WirePoint(_ORDER, sends_half=True),
        "wire.sent": WirePoint(_ORDER),
        "wire.stop_sent": WirePoint(_ORDER, _STOP),
        "wire.cancel_sent": WirePoint(_CANCEL),
    }
)

#: The steps in their order, and where a process dies after each.
STEPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tick claim": "evaluation.claimed",
        "bars fetched": "evaluation.bars_read",
        "decision computed": "evaluation.decided",
        "intent insert": "evaluation.intents_written",
        "intent commit": "evaluation.stepped",
        "next due write": "evaluation.advanced",
        "lease release": "evaluation.finished",
        "submit claim": "submission.claimed",
        "claim commit": "submission.prepared",
        "bytes half-sent": "wire.half_sent",
        "bytes sent": "wire.sent",
        "reply read": "submission.reply_read",
        "reply classified": "submission.answered",
        "state write": "submission.state_written",
        "state commit": "submission.settled",
        "fill insert": "fills.inserted",
        "position update": "fills.booked",
        "fill commit": "reconciliation.applied",
        "cursor update": "reconciliation.cursor_moved",
        "protective order intent": "protection.stop_decided",
        "protective sent": "wire.stop_sent",
        "cancel command write": "commands.recorded",
        "cancel sent": "wire.cancel_sent",
        "cancel reply": "commands.cancel_answered",
        "outbox write": "outbox.written",
        "outbox publish": "outbox.delivered",
    }
)
POINTS: Final = tuple(STEPS.values())

#: Where a process may fall asleep instead: it holds no transaction there, so others can go on.
SLEEPING_POINTS: Final = (
    "evaluation.claimed",
    "evaluation.bars_read",
    "evaluation.stepped",
    "submission.claimed",
    "submission.prepared",
    "submission.answered",
    "submission.settled",
    "reconciliation.applied",
)


def arm(point: str, *, visits: int, by: signal.Signals) -> None:
    """Have this process sent the signal *by* when it comes to *point* for the *visits*-th time."""
    if point in WIRE_POINTS:
        _wrap_sockets(WIRE_POINTS[point], visits)
    else:
        crashpoints.arm(point, visits=visits, by=by)


def _wrap_sockets(point: WirePoint, visits: int) -> None:
    """Die when the *visits*-th request of that kind has left, in half or whole."""
    kind: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]  # of the standard library
    write: Callable[[Any, Any], None] = kind.write
    left = [visits]

    def dying_write(transport: Any, data: Any) -> None:
        request = bytes(data)
        if point.is_about(request):
            left[0] -= 1
        if point.is_about(request) and left[0] == 0:
            write(transport, request[: len(request) // 2] if point.sends_half else request)
            os.kill(os.getpid(), signal.SIGKILL)
        write(transport, data)

    def dying_writelines(transport: Any, parts: Iterable[Any]) -> None:
        dying_write(transport, b"".join(bytes(part) for part in parts))

    kind.write, kind.writelines = dying_write, dying_writelines
