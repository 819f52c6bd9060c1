"""Notices over connections that are slow, endless, compressed or cut: the server answers and goes on."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import requests

from tests.flows.stack import Stack

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(400),
]

_LARGEST = 256 * 1024
#: The platform of the journeys waits three seconds for a body.
_PATIENCE_S = 20


@contextmanager
def line_to(stack: Stack, *, head: str) -> Iterator[socket.socket]:
    """Open a connection and send the head of a notice."""
    address = urlsplit(stack.url)
    assert address.hostname
    with socket.create_connection(
        (address.hostname, address.port or 80), timeout=_PATIENCE_S
    ) as line:
        line.sendall(
            f"POST /webhooks/development/ HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Content-Type: application/json\r\n{head}\r\n\r\n".encode()
        )
        yield line


def status_of(line: socket.socket) -> int:
    """Return the status that the server answers."""
    first = line.makefile("rb").readline().decode()
    assert first, "the server has hung up without an answer"
    return int(first.split()[1])


def drip(line: socket.socket, piece: bytes, *, seconds: float) -> None:
    """Send a piece ten times a second, until the server has had enough."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            line.sendall(piece)
        except OSError:
            return
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        ("Content-Length: 1000", b""),
        ("Content-Length: 1000", b"a"),
        ("Transfer-Encoding: chunked", b""),
        ("Transfer-Encoding: chunked", b"1\r\na\r\n"),
    ],
)
def test_a_body_that_never_ends_is_answered_408(stack, head, piece):
    with line_to(stack, head=head) as line:
        drip(line, piece, seconds=5)
        assert status_of(line) == 408


def test_endless_chunks_are_answered_413(stack):
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with line_to(stack, head="Transfer-Encoding: chunked") as line:
        for _ in range(6):
            try:
                line.sendall(chunk)
            except OSError:
                break
        assert status_of(line) == 413


def test_a_length_above_the_limit_is_answered_before_anything_is_sent(stack):
    with line_to(stack, head=f"Content-Length: {_LARGEST + 1}") as line:
        started = time.monotonic()
        assert status_of(line) == 413
    assert time.monotonic() - started < 2


def test_a_compressed_body_is_answered_415(stack):
    with line_to(stack, head="Content-Length: 5\r\nContent-Encoding: gzip") as line:
        line.sendall(b"12345")
        assert status_of(line) == 415


def test_many_slow_ones_do_not_keep_the_server_busy_for_long(stack):
    """More of them than the server has threads: everybody else waits seconds and not for ever."""
    lines = []
    try:
        for _ in range(20):
            context = line_to(stack, head="Content-Length: 1000")
            lines.append((context, context.__enter__()))
        started = time.monotonic()
        answer = requests.get(f"{stack.url}/accounts/login/", timeout=_PATIENCE_S)
        assert answer.status_code == 200
        assert time.monotonic() - started < _PATIENCE_S
    finally:
        for context, _ in lines:
            context.__exit__(None, None, None)
