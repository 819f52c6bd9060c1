"""The HTTP/1.1 server: one thread, one event loop, keep-alive, nothing but the standard library."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from exchanges.simulator import errors
from exchanges.simulator.distortions import distort
from exchanges.simulator.errors import ApiError
from exchanges.simulator.fault_kinds import Phase
from exchanges.simulator.fault_table import describe
from exchanges.simulator.faults import Faults, Strike
from exchanges.simulator.messages import (
    MOST_HEAD_BYTES,
    MalformedError,
    Message,
    read_message,
    write_answer,
)
from exchanges.simulator.parameters import Parameters
from exchanges.simulator.prices import SAMPLE_MS
from exchanges.simulator.requests import Answer, Request, Routes
from exchanges.simulator.truth import Journal
from exchanges.simulator.wire_faults import send_badly
from exchanges.simulator.world import World

logger = logging.getLogger(__name__)

#: Tells the wall-clock time in milliseconds UTC.
Clock = Callable[[], int]

_MINUTE_MS: Final = 60_000


class Server:
    """Answers requests from the routes, after faults and the weight limit had their say."""

    def __init__(
        self,
        world: World,
        routes: Routes,
        faults: Faults,
        journal: Journal,
        *,
        clock: Clock,
        weight_limit: int,
    ) -> None:
        self._world = world
        self._routes = routes
        self._paths = {path for _, path in routes}
        self._faults = faults
        self._journal = journal
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
            self.serve, host, port, limit=MOST_HEAD_BYTES, backlog=256
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

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over one connection until it ends."""
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
            message = await read_message(reader)
            request = self._request(message, writer)
        except MalformedError as error:
            answer = Answer.of({"detail": str(error)}, status=error.status)
            write_answer(writer, answer, keeps_alive=False)
            await writer.drain()
            return False
        if request.path.startswith("/simulator/"):
            write_answer(writer, self._answer(request), keeps_alive=message.keeps_alive)
            await writer.drain()
            return message.keeps_alive
        number = self._journal.arrived(message, request.parameters.as_sent(), now_ms=request.now_ms)
        if not message.is_complete:
            return False
        strike = self._faults.strike(request)
        status: int | None = None
        executes = strike.wire is None or strike.wire.carries_out
        try:
            if strike.wire is None:
                answer = self._carry_out(request, strike)
                write_answer(writer, answer, keeps_alive=message.keeps_alive)
                await writer.drain()
                goes_on, status = True, answer.status
            else:
                goes_on = await self._misbehave(reader, writer, message, request, strike)
        finally:
            self._journal.answered(
                number,
                status=status,
                executed=executes,
                faults=strike.kinds,
                now_ms=self._clock(),
            )
        return goes_on and message.keeps_alive

    def _carry_out(self, request: Request, strike: Strike) -> Answer:
        """Do what was asked, with everything that the exchange itself does wrong."""
        for rule in strike.lasting:
            api_key = request.headers.get("x-mbx-apikey", "")
            self._world.suffer(rule, api_key=api_key, now_ms=request.now_ms)
        request = replace(request, mishaps=strike.mishaps)
        return distort(self._answer(request), strike.views, now_ms=request.now_ms)

    async def _misbehave(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        message: Message,
        request: Request,
        strike: Strike,
    ) -> bool:
        """Answer as a fault of the wire wants it; return whether the connection goes on."""
        fault = strike.wire
        assert fault is not None  # noqa: S101 - narrowing: the caller has looked
        # Whether the wait comes before or after tells a slow way there from a slow way back.
        waits_first = describe(fault.kind).phase is not Phase.AFTER_ACCEPTING
        if waits_first:
            await asyncio.sleep(fault.wait_ms() / 1_000)
        truth = Answer(200, b"")
        if fault.carries_out:
            truth = self._carry_out(replace(request, now_ms=self._clock()), strike)
        if not waits_first:
            await asyncio.sleep(fault.wait_ms() / 1_000)
        return await send_badly(reader, writer, fault, truth, target=message.target)

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

    def _request(self, message: Message, writer: asyncio.StreamWriter) -> Request:
        path, _, query = message.target.partition("?")
        peer = writer.get_extra_info("peername")
        try:
            text = message.body.decode()
            parameters = Parameters.parse(query, text if _is_form(message.headers) else "")
        except ValueError:
            raise MalformedError(HTTPStatus.BAD_REQUEST) from None
        return Request(
            method=message.method,
            path=unquote(path),
            query=query,
            body=text,
            headers=message.headers,
            peer=str(peer[0]) if peer else "",
            now_ms=self._clock(),
            parameters=parameters,
        )


def _is_form(headers: Mapping[str, str]) -> bool:
    return not headers.get("content-type", "").startswith("application/json")
