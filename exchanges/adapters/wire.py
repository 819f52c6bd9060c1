"""The HTTP that ccxt is given: what it may call, how much may come back, and a record of what happened."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import certifi
import yarl

from exchanges.adapters import limits
from exchanges.adapters.packs.base import Call, VenuePack

if TYPE_CHECKING:
    from exchanges.adapters.governor import Gate

#: Lists of all markets are the largest answers there are.
_LARGEST_ANSWER_BYTES: Final = 32 * 1_048_576
_LARGEST_PRIVATE_ANSWER_BYTES: Final = 5 * 1_048_576
_KEY_HEADERS: Final = re.compile(r"key|sign|passphrase|authorization|token", re.IGNORECASE)
_CHUNK_BYTES: Final = 65_536


class ForbiddenCallError(Exception):
    """Something tried to reach an endpoint that is not on the venue's list."""


@dataclass(slots=True)
class CallRecord:
    """What is known of one call: ``started`` turns true just before the first byte of a request is written.

    A question may take several requests: ``status`` and ``body`` are of the last answer, ``is_answer`` tells whether that
    one was good, and ``has_noise`` whether any was neither good nor the venue's own no.
    """

    started: bool = False
    status: int = 0
    body: bytes = b""
    retry_after: str = ""
    is_answer: bool = False
    has_noise: bool = False

    def document(self) -> Any:
        """Return the last answer as JSON, or None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


_current: ContextVar[CallRecord | None] = ContextVar("venue_call", default=None)


@contextmanager
def recording() -> Iterator[CallRecord]:
    """Record the requests made within the block, in this task alone."""
    record = CallRecord()
    token = _current.set(record)
    try:
        yield record
    finally:
        _current.reset(token)


class Wire:
    """Stands in for the session of ccxt: no redirects, no proxies of the environment, no cookies, limited answers.

    A session belongs to the event loop in which it first sends; ``close`` ends it. ``headers`` is what ccxt reads of a
    session to add to each request: nothing.
    """

    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        *,
        pack: VenuePack,
        addresses: Collection[str],
        gate: "Gate | None" = None,
        sessions: Callable[[], aiohttp.ClientSession | None] | None = None,
    ) -> None:
        """Let pass what *pack* lists, and only to *addresses*; tell *gate* what comes back.

        Requests go over what *sessions* gives, or else over a session of its own.
        """
        self._pack = pack
        self._origins = frozenset(yarl.URL(address).origin() for address in addresses)
        self._gate = gate
        self._sessions = sessions
        self._session: aiohttp.ClientSession | None = None

    def get(self, url: yarl.URL, **options: Any) -> AbstractAsyncContextManager[Any]:
        """Send a GET request as ``aiohttp`` does."""
        return self._send("GET", url, options)

    def post(self, url: yarl.URL, **options: Any) -> AbstractAsyncContextManager[Any]:
        """Send a POST request as ``aiohttp`` does."""
        return self._send("POST", url, options)

    def delete(self, url: yarl.URL, **options: Any) -> AbstractAsyncContextManager[Any]:
        """Send a DELETE request as ``aiohttp`` does."""
        return self._send("DELETE", url, options)

    async def close(self) -> None:
        """End the session and its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @asynccontextmanager
    async def _send(
        self, method: str, url: yarl.URL, options: Mapping[str, Any]
    ) -> AsyncIterator[Any]:
        call = self._admit(method, url, options)
        record = _current.get() or CallRecord()
        record.status, record.body, record.is_answer = 0, b"", False
        allowed = {name: options[name] for name in ("data", "headers", "timeout")}
        async with self._request(method, url, allowed) as response:
            limit = (
                _LARGEST_PRIVATE_ANSWER_BYTES
                if _is_signed(options["headers"])
                else _LARGEST_ANSWER_BYTES
            )
            record.retry_after = response.headers.get("Retry-After", "")
            record.status = response.status
            record.body = await _read(response, limit=limit)
            self._note_answer(record, call)
            if self._gate is not None and limits.are_published_at(url.path):
                self._gate.take_limits(record.body)
            text = record.body.decode("utf-8", errors="replace")

            async def read_text(**_: Any) -> str:
                return text

            yield SimpleNamespace(
                status=response.status,
                reason=response.reason or "",
                headers=response.headers,
                text=read_text,
                content=record.body,
            )

    def _admit(self, method: str, url: yarl.URL, options: Mapping[str, Any]) -> Call:
        """Return what is known of a request; raise ForbiddenCallError for one that may not leave."""
        call = self._pack.call_of(method, url.path)
        if call is None or url.origin() not in self._origins:
            raise ForbiddenCallError(f"{method} {url.path}")
        if not self._pack.takes_orders and (options["data"] or _is_signed(options["headers"])):
            raise ForbiddenCallError(f"{method} {url.path} in somebody's name")
        return call

    def _note_answer(self, record: CallRecord, call: Call) -> None:
        document = record.document()
        record.is_answer = self._pack.is_answer(call, record.status, document)
        is_no = self._pack.word_of(record.status, document) is not None
        record.has_noise = record.has_noise or not (record.is_answer or is_no)

    @asynccontextmanager
    async def _request(
        self, method: str, url: yarl.URL, options: Mapping[str, Any]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and tell the gate what came of it."""
        try:
            request = self._open().request(method, url, allow_redirects=False, **options)
            response = await request.__aenter__()
        except (aiohttp.ClientError, OSError, asyncio.CancelledError):
            # A time limit reaches this place as a cancellation.
            if self._gate is not None:
                self._gate.take_failure()
            raise
        if self._gate is not None:
            self._gate.take_answer(status=response.status, headers=response.headers)
        async with response:
            yield response

    def _open(self) -> aiohttp.ClientSession:
        shared = self._sessions() if self._sessions is not None else None
        if shared is not None:
            return shared
        if self._session is None:
            self._session = open_session(at_once=8)
        return self._session


class _NotedRequest(aiohttp.ClientRequest):
    """A request that notes when its first byte is about to be written: a trace would cost several times as much."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        record = _current.get()
        if record is not None:
            record.started = True
        return await super().send(conn)


def open_session(*, at_once: int, idle_s: float = 15.0) -> aiohttp.ClientSession:
    """Return a session with at most *at_once* connections to a venue, which are not used after *idle_s* of silence."""
    session = aiohttp.ClientSession(
        request_class=_NotedRequest,
        connector=aiohttp.TCPConnector(
            ssl=certificates(), limit=0, limit_per_host=at_once, keepalive_timeout=idle_s
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    # It would repeat a cancellation whose answer was lost, and then report the second one's "no such order".
    session._retry_connection = False  # noqa: SLF001  there is no public switch
    return session


@lru_cache(maxsize=1)
def certificates() -> ssl.SSLContext:
    """Return the certificates that venues are checked against; reading them takes longer than an order."""
    return ssl.create_default_context(cafile=certifi.where())


def _is_signed(headers: Mapping[str, str]) -> bool:
    return any(_KEY_HEADERS.search(name) for name in headers)


async def _read(response: aiohttp.ClientResponse, *, limit: int) -> bytes:
    chunks = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        chunks += chunk
        if len(chunks) > limit:
            raise aiohttp.ClientPayloadError("The answer is too large.")
    return bytes(chunks)
