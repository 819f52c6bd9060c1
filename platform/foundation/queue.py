"""Sending work to the workers: always after commit, always by a name that exists."""

import logging
import os
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

from celery import current_app, shared_task
from django.conf import settings
from django.db import transaction
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import ProducerPool

logger = logging.getLogger(__name__)

#: Connections of one process that send at the same time; others wait their turn.
_CONNECTIONS: Final = 10

#: What a message may carry: ids and plain values, never an object and never a secret.
Argument = str | int | float | bool | None | list[int] | list[str]


#: On which queue each task travels, filled by :func:`queued_task` and read by :func:`route_task`.
_routes: dict[str, str] = {}


def queued_task(
    name: str, /, *, queue: str, **options: Any
) -> Callable[[Callable[..., None]], Any]:
    """Declare a task by its name and the queue on which it travels; *options* go to Celery."""

    def declare(function: Callable[..., None]) -> Any:
        _routes[name] = queue
        make_task: Any = shared_task(name=name, **options)
        return make_task(function)

    return declare


def route_task(name: str, *_: Any, **__: Any) -> dict[str, str] | None:
    """Tell Celery the queue of a task of ours; None leaves a stranger's task to the default queue."""
    queue = _routes.get(name)
    return {"queue": queue} if queue else None


def enqueue_on_commit(task_name: str, /, **arguments: Argument) -> None:
    """Send *task_name* after commit; an unknown name raises KeyError here and now, not in the worker."""
    task = current_app.tasks[task_name]
    transaction.on_commit(partial(_send, task.name, arguments), robust=True)


def enqueue(task_name: str, /, **arguments: Argument) -> None:
    """Send *task_name* now, from a place that holds no transaction."""
    _send(current_app.tasks[task_name].name, arguments)


def _send(task_name: str, arguments: dict[str, Argument]) -> None:
    # A message is only a hint: when the broker is away, the sweeper of that row sends it later.
    try:
        with _producers().acquire(block=True, timeout=settings.QUEUE_PUBLISH_TIMEOUT_S) as producer:
            current_app.tasks[task_name].apply_async(kwargs=arguments, producer=producer)
    except (OperationalError, LimitExceeded) as error:
        logger.warning("queue.unavailable", extra={"task": task_name, "reason": str(error)[:200]})


@cache
def _producers_of(process_id: int) -> ProducerPool:
    return ProducerPool(
        connections=_connection().Pool(limit=_CONNECTIONS), limit=_CONNECTIONS, preload=0
    )


def _producers() -> ProducerPool:
    """Return this process's own connections for sending: a child must not share its parent's."""
    return _producers_of(os.getpid())


def _connection() -> Any:
    """Return a connection for sending, which waits less for a broker than a worker does.

    kombu has no types.
    """
    options = current_app.conf.broker_transport_options
    waits = {
        "socket_timeout": settings.QUEUE_PUBLISH_TIMEOUT_S,
        "socket_connect_timeout": settings.QUEUE_PUBLISH_TIMEOUT_S,
        "retry_on_timeout": False,
    }
    return current_app.connection_for_write(transport_options={**options, **waits})


def forget_connections() -> None:
    """Give up the connections for sending, so that the next message makes new ones."""
    _producers_of.cache_clear()
