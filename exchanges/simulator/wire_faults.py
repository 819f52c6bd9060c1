"""Answers that go wrong on the wire, independent of what was asked and of any exchange.

``send_badly`` takes the true answer to a request and does to it, on a real connection, what the
kind of fault says. It knows HTTP and JSON, and nothing of the protocol of an exchange but the names
of the four fields that tell one order from another, which a caller may set.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from exchanges.simulator.fault_kinds import Carrier, FaultKind, Phase
from exchanges.simulator.fault_table import describe, kinds_of, phrase_of, status_of
from exchanges.simulator.messages import head_of, write_answer
from exchanges.simulator.requests import Answer

#: Every fault that ``send_badly`` can bring about.
WIRE_KINDS: Final = kinds_of(Carrier.WIRE)

_PIECE_BYTES: Final = 1 << 20
_LONGEST_HOLD_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class OrderFields:
    """How a protocol names what tells one order from another, wherever it stands in an answer."""

    order_id: frozenset[str] = frozenset({"orderId", "algoId"})
    client_order_id: frozenset[str] = frozenset({"clientOrderId", "clientAlgoId"})
    symbol: frozenset[str] = frozenset({"symbol"})
    side: frozenset[str] = frozenset({"side"})


@dataclass(frozen=True, slots=True)
class WireFault:
    """A fault of the wire with its settings; what is not set is as the table of faults says.

    ``body``, ``status``, ``content_type`` and ``retry_after_s`` word an answer; ``delay_ms`` passes
    before anything is sent. ``executes`` decides for the building blocks alone whether the request
    is carried out, and is known from the kind for all others.
    """

    kind: FaultKind
    executes: bool = False
    delay_ms: int | None = None
    status: int | None = None
    body: str | None = None
    content_type: str = "text/html"
    retry_after_s: int | None = None
    hold_ms: int = 60_000
    size_bytes: int = 50_000_000
    interval_ms: int = 1_000
    fields: OrderFields = field(default_factory=OrderFields)

    @property
    def carries_out(self) -> bool:
        """Whether the request is carried out before it goes wrong."""
        entry = describe(self.kind)
        return self.executes if entry.phase is Phase.CHOSEN else entry.executes

    def wait_ms(self) -> int:
        """Return how long nothing happens first."""
        if self.delay_ms is not None:
            return self.delay_ms
        default = describe(self.kind).arguments.get("delay_ms", 0)
        return default if isinstance(default, int) else 0


async def send_badly(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    fault: WireFault,
    truth: Answer,
    *,
    target: str,
) -> bool:
    """Answer a request for *target* as *fault* says; return whether the connection may go on.

    *truth* is what a well-behaved server would have answered. The kind must be one of WIRE_KINDS.
    """
    kind = fault.kind
    if kind in {FaultKind.RESET, FaultKind.ACCEPTED_RESET}:
        _reset(writer)
        return False
    if kind in {FaultKind.CLOSED, FaultKind.ACCEPTED_CLOSED, FaultKind.CLOSE}:
        return False
    if kind is FaultKind.ACCEPTED_NO_REPLY:
        await _hold(reader, fault.hold_ms)
        return False
    if kind in _RAW:
        writer.write(_RAW[kind](truth))
        await writer.drain()
        return False
    if kind is FaultKind.ACCEPTED_HUGE_BODY:
        await _send_huge(writer, fault.size_bytes)
        return True
    if kind is FaultKind.ACCEPTED_DRIP:
        await _drip(writer, truth, fault.interval_ms)
        return True
    write_answer(writer, _reworded(fault, truth, target), keeps_alive=True)
    if kind is FaultKind.ACCEPTED_DUPLICATE_ACK:
        write_answer(writer, truth, keeps_alive=True)
    await writer.drain()
    return True


def rewrite(document: Any, names: frozenset[str], change: Callable[[Any], Any]) -> Any:
    """Return a JSON value (hence Any) with *change* applied wherever a field has one of *names*."""
    if isinstance(document, dict):
        return {
            name: change(value) if name in names else rewrite(value, names, change)
            for name, value in document.items()
        }
    if isinstance(document, list):
        return [rewrite(value, names, change) for value in document]
    return document


def _reworded(fault: WireFault, truth: Answer, target: str) -> Answer:
    kind = fault.kind
    changes = dict(_changes(fault.fields))
    if kind in changes:
        return _changed(truth, *changes[kind])
    if kind in _FIXED:
        content_type, body = _FIXED[kind]
        return Answer(200, body, content_type)
    if kind is FaultKind.ACCEPTED_INVALID_JSON:
        return Answer(200, truth.content[: max(len(truth.content) * 2 // 3, 1)])
    if kind is FaultKind.ACCEPTED_REDIRECT:
        return Answer(307, b"", "text/html", {"Location": target})
    if kind is FaultKind.ACCEPTED_ERROR_BODY:
        body_text = fault.body or str(describe(kind).arguments["body"])
        return Answer(200, body_text.encode())
    status = status_of(kind)
    if status is not None or kind is FaultKind.ANSWER:
        return _worded(fault, fault.status or status or 200)
    return truth  # late, doubled or merely delayed: the truth


def _worded(fault: WireFault, status: int) -> Answer:
    if fault.body is None and fault.kind is not FaultKind.ANSWER:
        body = f"<html><body><h1>{status} {phrase_of(status)}</h1></body></html>"
    else:
        body = fault.body or ""
    retry_after = fault.retry_after_s
    if retry_after is None:
        default = describe(fault.kind).arguments.get("retry_after_s")
        retry_after = default if isinstance(default, int) else None
    headers: Mapping[str, str] = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Answer(status, body.encode(), fault.content_type, headers)


def _changed(truth: Answer, names: frozenset[str], change: Callable[[Any], Any]) -> Answer:
    try:
        document = json.loads(truth.content)
    except ValueError:
        return truth
    changed = Answer.of(rewrite(document, names, change), status=truth.status)
    return Answer(changed.status, changed.content, truth.content_type, truth.headers)


def _changes(
    fields: OrderFields,
) -> Iterator[tuple[FaultKind, tuple[frozenset[str], Callable[[Any], Any]]]]:
    yield FaultKind.ACCEPTED_WRONG_ID, (fields.order_id, other_id)
    yield FaultKind.ACCEPTED_WRONG_CLIENT_ID, (fields.client_order_id, _other_client_id)
    yield FaultKind.ACCEPTED_WRONG_SYMBOL, (fields.symbol, _other_symbol)
    yield FaultKind.ACCEPTED_WRONG_SIDE, (fields.side, _other_side)


def other_id(value: Any) -> Any:
    """Return an id of the same kind that is another one."""
    if isinstance(value, int):
        return value + 1_000_003
    text = str(value)
    return str(int(text) + 1_000_003) if text.isdecimal() else text[::-1] + "0"


def _other_client_id(value: Any) -> str:
    """Return an id as long as *value*, and like it but for its last character."""
    text = str(value)
    return text[:-1] + ("1" if text.endswith("0") else "0")


def _other_symbol(value: Any) -> str:
    text = str(value)
    return text.replace("BTC", "ETH") if "BTC" in text else f"BTC{text[3:]}"


def _other_side(value: Any) -> str:
    text = str(value)
    other = "sell" if text.lower() == "buy" else "buy"
    if text.isupper():
        return other.upper()
    return other.capitalize() if text[:1].isupper() else other


def _truncated(truth: Answer) -> bytes:
    half = truth.content[: len(truth.content) // 2]
    return head_of(truth, keeps_alive=False, length=len(truth.content) + 1) + half


def _broken_chunk(truth: Answer) -> bytes:
    head = (
        f"HTTP/1.1 {truth.status} OK\r\nContent-Type: {truth.content_type}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    half = truth.content[: len(truth.content) // 2]
    return head.encode() + f"{len(half):x}\r\n".encode() + half + b"\r\nno size\r\n"


def _bad_gzip(truth: Answer) -> bytes:
    # A proper head, and then a block of a type that does not exist.
    junk = b"\x1f\x8b\x08" + bytes(7) + b"\xff" * max(len(truth.content), 1)
    answer = Answer(truth.status, junk, truth.content_type, {"Content-Encoding": "gzip"})
    return head_of(answer, keeps_alive=False) + junk


def _garbage_status(truth: Answer) -> bytes:
    return b"HTTP/1.1 fine OK\r\nContent-Length: 2\r\n\r\n{}"


_RAW: Final[Mapping[FaultKind, Callable[[Answer], bytes]]] = {
    FaultKind.ACCEPTED_TRUNCATED: _truncated,
    FaultKind.ACCEPTED_BROKEN_CHUNK: _broken_chunk,
    FaultKind.ACCEPTED_BAD_GZIP: _bad_gzip,
    FaultKind.ACCEPTED_GARBAGE_STATUS: _garbage_status,
}
_JSON: Final = "application/json;charset=UTF-8"
_FIXED: Final[Mapping[FaultKind, tuple[str, bytes]]] = {
    FaultKind.ACCEPTED_HTML: ("text/html", b"<html><body>One moment, please.</body></html>"),
    FaultKind.ACCEPTED_EMPTY: (_JSON, b""),
    FaultKind.ACCEPTED_EMPTY_OBJECT: (_JSON, b"{}"),
    FaultKind.ACCEPTED_EMPTY_LIST: (_JSON, b"[]"),
}


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST: what is unsent is thrown away and the peer sees an error."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _hold(reader: asyncio.StreamReader, hold_ms: int) -> None:
    """Say nothing until the client gives up, but not forever."""
    try:
        async with asyncio.timeout(min(hold_ms, _LONGEST_HOLD_MS) / 1_000):
            while await reader.read(_PIECE_BYTES):
                pass
    except TimeoutError:
        return


async def _send_huge(writer: asyncio.StreamWriter, size_bytes: int) -> None:
    opening, closing = b'{"padding":"', b'"}'
    answer = Answer(200, b"")
    writer.write(head_of(answer, keeps_alive=True, length=size_bytes) + opening)
    left = max(size_bytes - len(opening) - len(closing), 0)
    while left:
        piece = min(left, _PIECE_BYTES)
        writer.write(b"x" * piece)
        await writer.drain()
        left -= piece
    writer.write(closing)
    await writer.drain()


async def _drip(writer: asyncio.StreamWriter, truth: Answer, interval_ms: int) -> None:
    """Send the head at once and the content byte by byte; end when the client goes away."""
    writer.write(head_of(truth, keeps_alive=True))
    for place in range(len(truth.content)):
        writer.write(truth.content[place : place + 1])
        await writer.drain()
        await asyncio.sleep(interval_ms / 1_000)
