"""The HTTP/1.1 server: one thread, one event loop, keep-alive, nothing but the standard library."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from exchanges.simulator import errors
from exchanges.simulator.errors import ApiError
from exchanges.simulator.faults import Fault, FaultKind, Faults
from exchanges.simulator.parameters import Parameters
from exchanges.simulator.prices import SAMPLE_MS
from exchanges.simulator.requests import Answer, Request, Routes
from exchanges.simulator.world import World

logger = logging.getLogger(__name__)

#: Tells the wall-clock time in milliseconds UTC.
Clock = Callable[[], int]

_MOST_HEAD_BYTES: Final = 32_768
_MOST_BODY_BYTES: Final = 16 * 1_048_576
_IDLE_TIMEOUT_S: Final = 75.0
_MINUTE_MS: Final = 60_000


class _MalformedError(Exception):
    """What came in is no HTTP request of ours; the connection ends after the answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Server:
    """Answers requests from the routes, after faults and the weight limit had their say."""

    def __init__(
        self, world: World, routes: Routes, faults: Faults, *, clock: Clock, weight_limit: int
    ) -> None:
        self._world = world
        self._routes = routes
        self._paths = {path for _, path in routes}
        self._faults = faults
        self._clock = clock
        self._weight_limit = weight_limit
        self._used: dict[str, int] = {}
        self._minute = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Begin to listen, and return the port (the real one if *port* is 0)."""
        self._server = await asyncio.start_server(
            self._accept, host, port, limit=_MOST_HEAD_BYTES, backlog=256
        )
        self._ticking = asyncio.create_task(self._tick())
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        tasks = [*self._connections, *([self._ticking] if self._ticking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tick(self) -> None:
        """Let the market meet resting orders at each new price."""
        while True:
            now_ms = self._clock()
            if self._world.has_work:
                try:
                    self._world.settle(now_ms=now_ms)
                except Exception:
                    # The next tick, or the next request, tries again; a bug must be seen.
                    logger.exception("simulator.settle-failed")
            await asyncio.sleep((SAMPLE_MS - now_ms % SAMPLE_MS + 1) / 1_000)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while await self._converse(reader, writer):
                pass
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client went away or the server stops: either way there is nobody to tell.
            logger.debug("simulator.connection-ended")
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection goes on."""
        try:
            request, keeps_alive = await self._read(reader, writer)
        except _MalformedError as error:
            _write(writer, Answer.of({"detail": str(error)}, status=error.status), False)
            await writer.drain()
            return False
        fault = self._faults.take(request)
        if fault is None:
            answer = self._answer(request)
        else:
            answered = await self._misbehave(request, fault)
            if answered is None:
                return False
            answer = answered
        _write(writer, answer, keeps_alive)
        await writer.drain()
        return keeps_alive

    async def _misbehave(self, request: Request, fault: Fault) -> Answer | None:
        """Do what *fault* says; return the answer, or None to close the connection."""
        await asyncio.sleep(fault.delay_ms / 1_000)
        truth = self._answer(request) if fault.executes else None
        if fault.kind is FaultKind.CLOSE:
            return None
        return truth if fault.kind is FaultKind.DELAY else fault.answer()

    def _answer(self, request: Request) -> Answer:
        if request.path not in self._paths:
            return Answer.of_failure(
                -1000, f"Path {request.path}, Method {request.method} is invalid", status=404
            )
        handler = self._routes.get((request.method, request.path))
        if handler is None:
            return Answer.of_failure(
                -1000, f"Request method '{request.method}' is not supported.", status=405
            )
        try:
            used = self._count_weight(request)
            answer = handler(request)
        except ApiError as error:
            headers = {"Retry-After": "60"} if error.status == HTTPStatus.TOO_MANY_REQUESTS else {}
            failure = Answer.of_failure(error.code, error.message, status=error.status)
            return Answer(failure.status, failure.content, failure.content_type, headers)
        except Exception:
            # The outermost frame: a bug must not take the other customers down with it.
            logger.exception("simulator.request-failed", extra={"path": request.path})
            return Answer.of_failure(-1000, "An unknown error occurred.", status=500)
        headers = {"X-MBX-USED-WEIGHT-1M": str(used)}
        return Answer(answer.status, answer.content, answer.content_type, headers)

    def _count_weight(self, request: Request) -> int:
        """Count one unit of weight for the client's address; refuse more than the limit."""
        if not request.path.startswith(("/api/", "/fapi/")):
            return 0
        minute = request.now_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
        used = self._used[request.peer] = self._used.get(request.peer, 0) + 1
        if used > self._weight_limit:
            raise errors.too_many_requests(self._weight_limit)
        return used

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[Request, bool]:
        try:
            async with asyncio.timeout(_IDLE_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise _MalformedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
        method, target, version, headers = _parse_head(head)
        if "transfer-encoding" in headers:
            raise _MalformedError(HTTPStatus.LENGTH_REQUIRED)
        body = await self._read_body(reader, headers)
        path, _, query = target.partition("?")
        peer = writer.get_extra_info("peername")
        try:
            text = body.decode()
            parameters = Parameters.parse(query, text if _is_form(headers) else "")
        except ValueError:
            raise _MalformedError(HTTPStatus.BAD_REQUEST) from None
        request = Request(
            method=method,
            path=unquote(path),
            query=query,
            body=text,
            headers=headers,
            peer=str(peer[0]) if peer else "",
            now_ms=self._clock(),
            parameters=parameters,
        )
        wanted = headers.get("connection", "").lower()
        return request, wanted != "close" and (version == "HTTP/1.1" or wanted == "keep-alive")

    async def _read_body(self, reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            raise _MalformedError(HTTPStatus.BAD_REQUEST)
        if int(length) > _MOST_BODY_BYTES:
            raise _MalformedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if int(length) == 0:
            return b""
        async with asyncio.timeout(_IDLE_TIMEOUT_S):
            return await reader.readexactly(int(length))


def _parse_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    start = lines[0].split(" ")
    if len(start) != 3 or not start[1].startswith("/") or not start[2].startswith("HTTP/1."):
        raise _MalformedError(HTTPStatus.BAD_REQUEST)
    headers = {}
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon:
            raise _MalformedError(HTTPStatus.BAD_REQUEST)
        headers[name.strip().lower()] = value.strip()
    return start[0].upper(), start[1], start[2], headers


def _is_form(headers: Mapping[str, str]) -> bool:
    return not headers.get("content-type", "").startswith("application/json")


def _write(writer: asyncio.StreamWriter, answer: Answer, keeps_alive: bool) -> None:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [
        f"HTTP/1.1 {answer.status} {phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.content)}",
        f"Connection: {'keep-alive' if keeps_alive else 'close'}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.content)
