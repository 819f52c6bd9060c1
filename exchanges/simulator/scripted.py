"""A loopback server that answers any request as its script says, well or badly.

It knows no exchange: whoever uses it decides the answer to each request, so it stands in for any
venue, and ``wire_faults`` does the misbehaving. Everything that arrived is kept.

    def respond(request: ReceivedRequest) -> Reply:
        return Reply(Answer.of({"orderId": 1}), WireFault(FaultKind.ACCEPTED_CLOSED))

    with serving(respond) as server:
        ...  # any client of server.url
        assert len(server.received) == 1
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

from exchanges.simulator.messages import (
    MOST_HEAD_BYTES,
    MalformedError,
    Message,
    read_message,
    write_answer,
)
from exchanges.simulator.requests import Answer
from exchanges.simulator.wire_faults import WireFault, send_badly


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request as it came in: ``number`` counts from 0 over all connections.

    ``is_complete`` is false if the client went away before all of it had arrived; ``executed`` is
    whether a venue that behaves as the script says would have carried it out.
    """

    number: int
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    is_complete: bool
    executed: bool = False

    @property
    def form(self) -> dict[str, str]:
        """The body as a form; what is no form has no fields."""
        return dict(parse_qsl(self.body.decode("latin-1"), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: the truth, or what ``fault`` makes of it."""

    truth: Answer
    fault: WireFault | None = None


Script = Callable[[ReceivedRequest], Reply]


@dataclass
class ScriptedServer:
    """Listens on a free port of the loopback interface; ``received`` grows as requests arrive."""

    script: Script
    received: list[ReceivedRequest] = field(default_factory=list)
    url: str = ""
    _connections: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    _server: asyncio.Server | None = None

    async def start(self, *, port: int = 0) -> str:
        """Begin to listen and return the address, such as ``http://127.0.0.1:40123``."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", port, limit=MOST_HEAD_BYTES, backlog=256
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self.url

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for writer in self._connections.values():
            writer.transport.abort()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def executed(self, method: str, path: str) -> Sequence[ReceivedRequest]:
        """Return the requests of one kind that were carried out: the truth of the venue."""
        return [
            request
            for request in self.received
            if (request.method, request.path) == (method, path) and request.executed
        ]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections[task] = writer
            task.add_done_callback(lambda done: self._connections.pop(done, None))
        try:
            while await self._converse(reader, writer):
                pass
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client went away or the server stops: either way there is nobody to tell.
            return
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            message = await read_message(reader)
        except MalformedError as error:
            write_answer(writer, Answer(error.status, b""), keeps_alive=False)
            return False
        request = self._received(message)
        if not request.is_complete:
            self.received.append(request)
            return False
        reply = self.script(request)
        executed = reply.fault is None or reply.fault.carries_out
        self.received.append(replace(request, executed=executed))
        if reply.fault is None:
            write_answer(writer, reply.truth, keeps_alive=message.keeps_alive)
            await writer.drain()
            return message.keeps_alive
        await asyncio.sleep(reply.fault.wait_ms() / 1_000)
        goes_on = await send_badly(reader, writer, reply.fault, reply.truth, target=message.target)
        return goes_on and message.keeps_alive

    def _received(self, message: Message) -> ReceivedRequest:
        path, _, query = message.target.partition("?")
        return ReceivedRequest(
            number=len(self.received),
            method=message.method,
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=message.headers,
            body=message.body,
            is_complete=message.is_complete,
        )


@contextmanager
def serving(script: Script) -> Iterator[ScriptedServer]:
    """Serve *script* from a thread of its own, for clients that block."""
    server = ScriptedServer(script)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="scripted-server", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(timeout=10)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
