"""The HTTP that ccxt is given: what it may call, how much may come back, and a record of what happened."""

import json
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final

import aiohttp
import certifi
import yarl

#: Lists of all markets are the largest answers there are.
_LARGEST_ANSWER_BYTES: Final = 32 * 1_048_576
_LARGEST_PRIVATE_ANSWER_BYTES: Final = 5 * 1_048_576
_CHUNK_BYTES: Final = 65_536
_MARKET_LISTS: Final = frozenset({"/api/v3/exchangeInfo"})


class ForbiddenCallError(Exception):
    """Something tried to reach an endpoint that is not on the venue's list."""


@dataclass(slots=True)
class CallRecord:
    """What is known of one call: ``started`` turns true just before the first byte of a request is written."""

    started: bool = False
    status: int = 0
    body: bytes = b""
    retry_after: str = ""

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

    def __init__(self, *, calls: frozenset[tuple[str, str]]) -> None:
        self._calls = calls
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
        if (method, url.path) not in self._calls:
            raise ForbiddenCallError(f"{method} {url.path}")
        record = _current.get() or CallRecord()
        record.status, record.body = 0, b""
        allowed = {name: options[name] for name in ("data", "headers", "timeout")}
        session = self._open()
        async with session.request(method, url, allow_redirects=False, **allowed) as response:
            is_list = url.path in _MARKET_LISTS
            limit = _LARGEST_ANSWER_BYTES if is_list else _LARGEST_PRIVATE_ANSWER_BYTES
            record.status = response.status
            record.retry_after = response.headers.get("Retry-After", "")
            record.body = await _read(response, limit=limit)
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

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_note_start)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=certificates(), limit=8),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                trace_configs=[trace],
            )
            # It would repeat a cancellation whose answer was lost, and then report the second one's "no such order".
            self._session._retry_connection = False  # noqa: SLF001  there is no public switch
        return self._session


@lru_cache(maxsize=1)
def certificates() -> ssl.SSLContext:
    """Return the certificates that venues are checked against; reading them takes longer than an order."""
    return ssl.create_default_context(cafile=certifi.where())


async def _note_start(*_: Any) -> None:
    record = _current.get()
    if record is not None:
        record.started = True


async def _read(response: aiohttp.ClientResponse, *, limit: int) -> bytes:
    chunks = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        chunks += chunk
        if len(chunks) > limit:
            raise aiohttp.ClientPayloadError("The answer is too large.")
    return bytes(chunks)
