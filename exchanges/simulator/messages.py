"""Reading HTTP/1.1 requests from a connection and writing answers to one, with nothing else."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from exchanges.simulator.fault_table import phrase_of
from exchanges.simulator.requests import Answer

MOST_HEAD_BYTES: Final = 32_768
MOST_BODY_BYTES: Final = 16 * 1_048_576
IDLE_TIMEOUT_S: Final = 75.0


class MalformedError(Exception):
    """What came in is no HTTP request of ours; the connection ends after the answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it came over the wire.

    ``size`` counts all of its bytes that arrived. ``is_complete`` is false if the client went away
    in the middle of it; then ``body`` holds what there was.
    """

    method: str
    target: str
    version: str
    headers: Mapping[str, str]
    body: bytes
    size: int
    is_complete: bool = True

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to use the connection again."""
        wanted = self.headers.get("connection", "").lower()
        return wanted != "close" and (self.version == "HTTP/1.1" or wanted == "keep-alive")


async def read_message(reader: asyncio.StreamReader) -> Message:
    """Return the next request of a connection, perhaps a broken one.

    Raise MalformedError for what is no request, and IncompleteReadError or TimeoutError if nothing
    of a request came any more.
    """
    try:
        async with asyncio.timeout(IDLE_TIMEOUT_S):
            head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise MalformedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            raise
        return _broken_head(error.partial)
    method, target, version, headers = _parse_head(head)
    if "transfer-encoding" in headers:
        raise MalformedError(HTTPStatus.LENGTH_REQUIRED)
    body, is_complete = await _read_body(reader, headers)
    size = len(head) + len(body)
    return Message(method, target, version, headers, body, size, is_complete)


def write_answer(writer: asyncio.StreamWriter, answer: Answer, *, keeps_alive: bool) -> None:
    """Write *answer* as it should be written."""
    writer.write(head_of(answer, keeps_alive=keeps_alive) + answer.content)


def head_of(answer: Answer, *, keeps_alive: bool, length: int | None = None) -> bytes:
    """Return the status line and headers of *answer*; *length* is a content length that may lie."""
    stated = len(answer.content) if length is None else length
    lines = [
        f"HTTP/1.1 {answer.status} {phrase_of(answer.status)}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {stated}",
        f"Connection: {'keep-alive' if keeps_alive else 'close'}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


async def _read_body(
    reader: asyncio.StreamReader, headers: Mapping[str, str]
) -> tuple[bytes, bool]:
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise MalformedError(HTTPStatus.BAD_REQUEST)
    if int(length) > MOST_BODY_BYTES:
        raise MalformedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if int(length) == 0:
        return b"", True
    try:
        async with asyncio.timeout(IDLE_TIMEOUT_S):
            return await reader.readexactly(int(length)), True
    except asyncio.IncompleteReadError as error:
        return error.partial, False


def _broken_head(partial: bytes) -> Message:
    """Return what can be known of a request whose head broke off."""
    start = partial.decode("latin-1").split("\r\n")[0].split(" ")
    target = start[1] if len(start) > 1 else ""
    return Message(start[0][:16].upper(), target, "", {}, b"", len(partial), is_complete=False)


def _parse_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    start = lines[0].split(" ")
    if len(start) != 3 or not start[1].startswith("/") or not start[2].startswith("HTTP/1."):
        raise MalformedError(HTTPStatus.BAD_REQUEST)
    headers = {}
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedError(HTTPStatus.BAD_REQUEST)
        headers[name.strip().lower()] = value.strip()
    return start[0].upper(), start[1], start[2], headers
