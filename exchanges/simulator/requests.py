"""One request and one answer, as the handlers see them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from exchanges.simulator.mishaps import NO_MISHAPS, Mishaps
from exchanges.simulator.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: ``query`` and ``body`` as sent, ``peer`` the address of the client.

    ``mishaps`` is what the exchange itself is to do wrong.
    """

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]
    peer: str
    now_ms: int
    parameters: Parameters
    mishaps: Mishaps = NO_MISHAPS

    @property
    def venue_ms(self) -> int:
        """What the clock of the exchange shows, right or wrong."""
        return self.now_ms + self.mishaps.clock_offset_ms


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; ``headers`` besides the length of the content."""

    status: int
    content: bytes
    content_type: str = "application/json;charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, payload: Any, *, status: int = 200) -> "Answer":
        """Return *payload* (anything that JSON can say, hence Any) as JSON."""
        return cls(status, json.dumps(payload, separators=(",", ":")).encode())

    @classmethod
    def of_failure(cls, code: int, message: str, *, status: int) -> "Answer":
        """Return a failure as the Binance API words it."""
        return cls.of({"code": code, "msg": message}, status=status)


Handler = Callable[[Request], Answer]
Routes = Mapping[tuple[str, str], Handler]
