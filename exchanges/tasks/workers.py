"""What a worker does before it takes its first task."""

from typing import Any

from celery.signals import worker_init, worker_process_shutdown
from django.conf import settings

from exchanges.adapters import factory, loops
from foundation.crypto.rings import FIELD_RING, PRIVATE_RING, open_rings_at_start


@worker_init.connect
def import_venue_clients(**_: Any) -> None:
    """Import the exchange library before the worker forks: once for all its children, outside of any time limit.

    Only workers that open credentials speak to venues; the others do without its memory.
    """
    if settings.API_ENCRYPTION_KEY:
        factory.preload()
        open_rings_at_start(PRIVATE_RING, FIELD_RING)


@worker_process_shutdown.connect
def close_connections(**_: Any) -> None:
    """End the connections of a worker process before it goes."""
    loops.close()
