"""Sending messages to a broker that is frozen: whoever sends does not hang with it."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from celery import current_app

from foundation import queue

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def frozen_broker(settings, monkeypatch) -> Iterator[None]:
    """A broker that takes connections and never says a word."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        address = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        monkeypatch.setattr(current_app.conf, "broker_write_url", address)
        settings.QUEUE_PUBLISH_TIMEOUT_S = 0.2
        queue.forget_connections()
        yield
        server.shutdown(socket.SHUT_RDWR)
    for each in taken:
        each.close()
    queue.forget_connections()


def test_a_message_to_a_frozen_broker_is_given_up_in_time(frozen_broker, caplog):
    began_s = time.monotonic()

    queue.enqueue("trading.submit_due_intents")

    assert time.monotonic() - began_s < 3
    assert "queue.unavailable" in caplog.text
