"""A body is read whole, within a limit and within a time, from a real connection of the web server."""

import socket
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from types import SimpleNamespace

import pytest
from django.core.handlers.wsgi import WSGIRequest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import SocketUnreader

from foundation.bodies import BodyTooLargeError, BodyTooSlowError, read_body

LIMIT = 1_000


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a connection: that of the sender, and that of the server."""
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def request_over(server: socket.socket, *, length: int | None = None) -> WSGIRequest:
    """Return a request as the web server hands it on; without a length it comes in chunks."""
    unreader = SocketUnreader(server)
    reader = (
        ChunkedReader(SimpleNamespace(max_buffer_headers=50), unreader)
        if length is None
        else LengthReader(unreader, length)
    )
    head = {"HTTP_TRANSFER_ENCODING": "chunked"} if length is None else {}
    if length is not None:
        head = {"CONTENT_LENGTH": str(length)}
    return WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "wsgi.input": Body(reader),
            "gunicorn.socket": server,
            **head,
        }
    )


def drip(sender: socket.socket, pieces: list[bytes], *, every_s: float) -> None:
    """Send a piece now and then, until nobody listens."""

    def go() -> None:
        for piece in pieces:
            try:
                sender.sendall(piece)
            except OSError:
                return
            time.sleep(every_s)

    threading.Thread(target=go, daemon=True).start()


def test_what_has_a_length_is_read_whole(line):
    line[0].sendall(b"a" * LIMIT)

    assert read_body(request_over(line[1], length=LIMIT), at_most=LIMIT, within_s=5) == b"a" * LIMIT


def test_what_comes_in_chunks_is_read_whole(line):
    line[0].sendall(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert read_body(request_over(line[1]), at_most=LIMIT, within_s=5) == b"abcde"


@pytest.mark.parametrize("length", [LIMIT + 1, 10**12])
def test_a_length_above_the_limit_is_not_waited_for(line, length):
    with pytest.raises(BodyTooLargeError):
        read_body(request_over(line[1], length=length), at_most=LIMIT, within_s=5)


def test_chunks_above_the_limit_are_refused(line):
    drip(line[0], [b"400\r\n" + b"x" * 0x400 + b"\r\n"] * 200, every_s=0)

    with pytest.raises(BodyTooLargeError):
        read_body(request_over(line[1]), at_most=LIMIT, within_s=5)


@pytest.mark.parametrize(
    ("length", "pieces"),
    [
        (LIMIT, []),
        (LIMIT, [b"a"] * 100),
        (None, []),
        (None, [b"1\r\na\r\n"] * 100),
        (None, [b"5"] * 100),
    ],
)
def test_what_drips_or_never_comes_is_not_waited_for(line, length, pieces):
    drip(line[0], pieces, every_s=0.05)
    started = time.monotonic()

    with pytest.raises(BodyTooSlowError):
        read_body(request_over(line[1], length=length), at_most=LIMIT, within_s=0.4)

    assert time.monotonic() - started < 3
    # The answer can still be sent.
    line[1].sendall(b"late")
    assert line[0].recv(4) == b"late"


@pytest.mark.parametrize(
    "sent", [b"zz\r\n", b"3\r\nabcd\r\n", b"1\r\na\r\n0\r\n" + b"x: y\r\n" * 50]
)
def test_broken_chunks_end_the_body(line, sent):
    line[0].sendall(sent)
    line[0].shutdown(socket.SHUT_WR)

    assert read_body(request_over(line[1]), at_most=LIMIT, within_s=5) in {b"", b"a", b"abc"}


def test_who_breaks_off_has_sent_what_came(line):
    line[0].sendall(b"abc")
    line[0].shutdown(socket.SHUT_WR)

    assert read_body(request_over(line[1], length=9), at_most=LIMIT, within_s=5) == b"abc"


def test_without_a_known_connection_it_is_read_all_the_same():
    request = WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "CONTENT_LENGTH": "3",
            "wsgi.input": BytesIO(b"abcd"),
        }
    )

    assert read_body(request, at_most=LIMIT, within_s=5) == b"abc"
