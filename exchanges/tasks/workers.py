"""What a worker does before it takes its first task."""

import threading
from collections.abc import Callable
from typing import Any, Final

from celery.signals import worker_init, worker_process_init, worker_process_shutdown
from django.conf import settings

from exchanges.adapters import factory, loops
from foundation.crypto.rings import FIELD_RING, PRIVATE_RING, open_rings_at_start

#: Opened keys are looked through this often, in seconds.
_FORGET_EVERY_S: Final = 15.0


@worker_init.connect
def import_venue_clients(**_: Any) -> None:
    """Import the exchange library before the worker forks: once for all its children, outside of any time limit.

    Only workers that open credentials speak to venues; the others do without its memory.
    """
    if settings.API_ENCRYPTION_KEY:
        factory.preload()
        open_rings_at_start(PRIVATE_RING, FIELD_RING)


@worker_process_init.connect
def forget_keys_while_idle(**_: Any) -> None:
    """Drop opened keys after their time also in a process to which no task comes."""
    if settings.API_ENCRYPTION_KEY:
        every_so_often(factory.forget_expired_keys, seconds=_FORGET_EVERY_S)


def every_so_often(deed: Callable[[], None], *, seconds: float) -> threading.Event:
    """Do something again and again in a thread of its own, until the event is set or the process ends."""
    is_over = threading.Event()

    def repeat() -> None:
        while not is_over.wait(seconds):
            deed()

    threading.Thread(target=repeat, daemon=True).start()
    return is_over


@worker_process_shutdown.connect
def close_connections(**_: Any) -> None:
    """End the connections of a worker process before it goes."""
    loops.close()
