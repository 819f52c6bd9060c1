"""Connections within the process: what one end writes the other reads a moment later, by the loop's clock.

Above them everything is as it is over TCP: the client's HTTP library and the exchange's server read
and write bytes, lose connections and run out of time.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from exchanges.adapters import wire

#: The way from one end to the other, in seconds.
LATENCY_S: Final = 0.004

_PEERS: Final = {"peername": ("127.0.0.1", 0)}


class Pipe(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._arriving: deque[Callable[[], None]] = deque()
        self._unread: deque[Callable[[], None]] = deque()
        self._is_paused = False
        self._is_closing = False
        self._is_lost = False
        self.other: Pipe | None = None
        #: What sees each piece of data before it goes out, and returns what does.
        self.before_write: Callable[[bytes], bytes] = bytes

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return _PEERS.get(name, default)

    def is_closing(self) -> bool:
        return self._is_closing

    def write(self, data: Any) -> None:
        if self._is_closing:
            return
        content = self.before_write(bytes(data))
        if content and self.other is not None:
            self.other.come(lambda end: end.take(content))

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(bytes(part) for part in parts))

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        del high, low

    def close(self) -> None:
        self._close(None)

    def abort(self) -> None:
        self._close(ConnectionResetError("The other end has reset the connection."))

    def is_reading(self) -> bool:
        return not self._is_paused

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False
        while self._unread and not self._is_paused:
            self._unread.popleft()()

    def come(self, happening: Callable[["Pipe"], None]) -> None:
        """Let something that the other end did arrive here, in its turn."""
        self._arriving.append(lambda: happening(self))
        self._loop.call_later(LATENCY_S, self._arrive)

    def take(self, content: bytes) -> None:
        """Give what has arrived to the protocol."""
        if not self._is_lost:
            self._protocol.data_received(content)

    def end(self, error: Exception | None) -> None:
        """The other end is gone."""
        if self._is_lost or self._is_closing:
            return
        if error is None and self._protocol.eof_received():
            return
        self._is_closing = True
        self._lose(error)

    def _arrive(self) -> None:
        happening = self._arriving.popleft()
        if self._is_paused:
            self._unread.append(happening)
        else:
            happening()

    def _close(self, error: Exception | None) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        if self.other is not None:
            self.other.come(lambda end: end.end(error))
        self._loop.call_soon(self._lose, None)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._protocol.connection_lost(error)


def connect(loop: asyncio.AbstractEventLoop, near: Any, far: Any) -> tuple[Pipe, Pipe]:
    """Return the two ends of a new connection between two protocols."""
    ends = Pipe(loop, near), Pipe(loop, far)
    ends[0].other, ends[1].other = ends[1], ends[0]
    far.connection_made(ends[1])
    near.connection_made(ends[0])
    return ends


class PipeConnector(aiohttp.BaseConnector):
    """Connects the HTTP library to whatever ``reach`` gives it, without a socket."""

    def __init__(self, reach: Callable[[Any], None]) -> None:
        super().__init__(limit=0, limit_per_host=0, keepalive_timeout=10.0)
        self._reach = reach

    async def _create_connection(self, *_: Any) -> Any:
        protocol = self._factory()
        self._reach(protocol)
        return protocol


def open_session(reach: Callable[[Any], None]) -> aiohttp.ClientSession:
    """Return a session as the platform opens it, but for its sockets."""
    session = aiohttp.ClientSession(
        request_class=wire._NotedRequest,
        connector=PipeConnector(reach),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    session._retry_connection = False
    return session
