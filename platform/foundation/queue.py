"""Sending work to the workers: always after commit, always by a name that exists."""

import logging
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

#: What a message may carry: ids and plain values, never an object and never a secret.
Argument = str | int | float | bool | None | list[int] | list[str]


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
        current_app.tasks[task_name].apply_async(kwargs=arguments)
    except OperationalError as error:
        logger.warning("queue.unavailable", extra={"task": task_name, "reason": str(error)[:200]})
