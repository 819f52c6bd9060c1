"""A venue on the loopback interface that answers from a book of documented payloads, and misbehaves on request.

It speaks just enough HTTP to be able to break it: whoever gives a hook has the connection's writer.
"""

import asyncio
import json
import re
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from exchanges.simulator import requests
from exchanges.simulator.wire_faults import OrderFields, WireFault, send_badly

BOOKS: Final = Path(__file__).resolve().parents[2] / "data" / "venues"

#: The parameters by which venues are told a client order id.
CLIENT_ID_FIELDS: Final = (
    *("newClientOrderId", "clientAlgoId", "orderLinkId", "clOrdId", "cl_ord_id", "clientOid"),
    *("text", "client-order-id", "clientOrderId", "clientOrderID", "origClientOrderId"),
    "algoClOrdId",
)

#: How our ids look where they are a part of the path.
OUR_ID: Final = re.compile(r"t-[0-9a-z]{25}|[0-9a-f]{32}")


@dataclass(frozen=True)
class Request:
    """What came in; ``parameters`` are those of the query and of the body together."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    parameters: Mapping[str, Any]

    @property
    def client_id(self) -> str:
        """The client order id that the request names, wherever the venue wants it."""
        found = [str(self.parameters[f]) for f in CLIENT_ID_FIELDS if self.parameters.get(f)]
        found += [part for part in self.path.split("/") if OUR_ID.fullmatch(part)]
        return found[0] if found else ""


#: Answers a request by itself; what it does not write is not written.
Hook = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
#: How venues name what tells one order from another in their answers.
ORDER_FIELDS: Final = OrderFields(
    order_id=frozenset({"orderId", "ordId", "order_id", "id", "algoId"}),
    client_order_id=frozenset({*CLIENT_ID_FIELDS, "clientAlgoId"}),
    symbol=frozenset({"symbol", "instId", "pair", "currency_pair", "contract"}),
    side=frozenset({"side"}),
)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; ``body`` is sent as it is if it is text or bytes, else as JSON."""

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        """Return the answer as it goes over the wire."""
        content = self.body if isinstance(self.body, str | bytes) else json.dumps(self.body)
        data = content.encode() if isinstance(content, str) else content
        kind = "text/html" if isinstance(self.body, str | bytes) else "application/json"
        headers = {"Content-Type": kind, "Content-Length": str(len(data)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Told", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + data


class LoopbackVenue:
    """Serves the book of one venue: for each call several answers by name, the first unless a test chooses.

    In an answer ``$id`` stands for the client order id that came last, ``$now`` for the time in milliseconds and
    ``$seconds`` in seconds; written ``"$now#"`` it is a number.
    """

    def __init__(self, venue: str) -> None:
        self._answers = (BOOKS / venue / "answers.json").read_text()
        self.case: dict[str, Any] = json.loads((BOOKS / venue / "case.json").read_text())
        self.url = ""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.reset()

    def reset(self) -> None:
        """Forget what was asked and chosen, and what tests have written into the book."""
        self.book: dict[str, Any] = json.loads(self._answers)
        self.requests: list[Request] = []
        self.client_id = ""
        self._chosen: dict[str, str] = {}
        self._next: defaultdict[str, deque[Answer | WireFault | Hook]] = defaultdict(deque)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    def use(self, call: str, name: str) -> None:
        """Answer *call*, such as ``GET /v5/order/realtime``, with the answer of that name from now on."""
        assert name in self.book[call], f"{call} has no answer '{name}'"
        self._chosen[call] = name

    def next(self, call: str, reply: Answer | WireFault | Hook) -> None:
        """Give the next request of *call* this answer, or the usual one gone wrong, or leave it to a hook."""
        assert call in self.book, call
        self._next[call].append(reply)

    def forget_next(self, call: str) -> None:
        """Take back what ``next`` has left for *call*."""
        self._next[call].clear()

    def sent(self, call: str) -> list[Request]:
        """Return the requests of *call* so far."""
        return [r for r in self.requests if _fits(call, r)]

    def answer_to(self, request: Request) -> Answer:
        """Return what the book says of a request."""
        call = next((each for each in self.book if _fits(each, request)), None)
        if call is None:
            return Answer({"unexpected": f"{request.method} {request.path}"}, status=418)
        return self.answer_named(call, self._chosen.get(call) or next(iter(self.book[call])))

    def answer_to_new_order(self) -> Any:
        """Return the usual answer to a new order, as JSON."""
        return self.answer_named(
            self.case["create"], next(iter(self.book[self.case["create"]]))
        ).body

    def answer_named(self, call: str, name: str) -> Answer:
        """Return one answer of the book."""
        document = self.book[call][name]
        status = 200
        if isinstance(document, dict) and "$status" in document:
            status, document = document["$status"], document["$body"]
        return Answer(json.loads(self._fill(json.dumps(document))), status=status)

    def _fill(self, text: str) -> str:
        now = str(time.time_ns() // 1_000_000)
        text = text.replace('"$now#"', now).replace("$now", now)
        text = text.replace('"$seconds#"', now[:-3]).replace("$seconds", now[:-3])
        return text.replace("$id", self.client_id)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _read(reader)) is not None:
                await self._answer(request, reader, writer)
                if writer.is_closing():
                    break
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.requests.append(request)
        self.client_id = request.client_id or self.client_id
        call = next((each for each in self._next if _fits(each, request)), "")
        reply = self._next[call].popleft() if call and self._next[call] else None
        if reply is None:
            writer.write(self.answer_to(request).as_bytes())
        elif isinstance(reply, Answer):
            writer.write(reply.as_bytes())
        elif isinstance(reply, WireFault):
            usual = self.answer_to(request)
            truth = requests.Answer.of(usual.body, status=usual.status)
            await asyncio.sleep(reply.wait_ms() / 1_000)
            if not await send_badly(reader, writer, reply, truth, target=request.path):
                writer.close()
        else:
            await reply(request, writer)


async def close(request: Request, writer: asyncio.StreamWriter) -> None:
    """A hook: hang up without a word."""
    writer.close()


async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
    """A hook: cut the connection."""
    writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readline()
    if not head:
        return None
    method, target, _ = head.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (line := (await reader.readline()).decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
    parts = urlsplit(target)
    parameters: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if body.startswith("{"):
        parameters |= json.loads(body)
    elif body.startswith("["):
        # Requests about several orders name one here.
        parameters |= json.loads(body)[0]
    elif body:
        parameters |= dict(parse_qsl(body, keep_blank_values=True))
    return Request(method, unquote(parts.path), headers, body, parameters)


def _fits(call: str, request: Request) -> bool:
    method, _, path = call.partition(" ")
    pattern = re.escape(path).replace(r"\{\}", "[^/]+")
    return method == request.method and re.fullmatch(pattern, request.path) is not None
