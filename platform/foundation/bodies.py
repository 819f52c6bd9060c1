"""Reading the body of a request that a stranger sends: no more than a limit, and no longer than a while."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from django.http import HttpRequest
from gunicorn.http.errors import ParseException

_PIECE_BYTES: Final = 64 * 1024


class BodyTooLargeError(Exception):
    """More was sent than is taken; the rest was not read."""


class BodyTooSlowError(Exception):
    """The body was not here in time; the rest was not waited for."""


def read_body(request: HttpRequest, *, at_most: int, within_s: float) -> bytes:
    """Return the raw body; raise BodyTooLargeError or BodyTooSlowError.

    No more than *at_most* bytes are ever held. A body that comes in chunks is read as well, and one that
    breaks off is returned as far as it came. The time counts where the web server names its socket, as
    gunicorn does: a thread that reads waits for ever otherwise.
    """
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > at_most:
        raise BodyTooLargeError
    body = bytearray()
    with _deadline(request.META.get("gunicorn.socket"), within_s=within_s) as is_over:
        # Whoever stops in the middle, or sends chunks that the server cannot read, has sent what is here.
        with suppress(OSError, ParseException):
            for piece in _pieces(request):
                body += piece
                if len(body) > at_most:
                    raise BodyTooLargeError
        if is_over():
            raise BodyTooSlowError
    return bytes(body)


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    # Django takes a body without a length for none.
    is_chunked = request.headers.get("Transfer-Encoding", "").lower().endswith("chunked")
    source = request.META["wsgi.input"] if is_chunked else request
    while piece := source.read(_PIECE_BYTES):
        yield piece


@contextmanager
def _deadline(connection: socket.socket | None, *, within_s: float) -> Iterator[Callable[[], bool]]:
    """Shut the reading side of *connection* after a while, which ends whatever waits for it.

    The answer can still be sent. A time-out of the socket would count anew with each byte.
    """
    passed = threading.Event()
    if connection is None:
        yield passed.is_set
        return

    def shut() -> None:
        passed.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)

    timer = threading.Timer(within_s, shut)
    timer.daemon = True
    timer.start()
    try:
        yield passed.is_set
    finally:
        timer.cancel()
