"""What a message carries beside its arguments: for which request and person it was sent, and when.

A line that a worker logs thus names the request that caused it, and the age of a queue is the age of its oldest message.
"""

import time
from contextvars import Token
from typing import Any, Final

from celery.signals import before_task_publish, task_postrun, task_prerun

from foundation import logs

REQUEST_ID: Final = "x_request_id"
PERSON_ID: Final = "x_person_id"
SENT_AT: Final = "x_sent_at"

_tokens: dict[str, Token[Any]] = {}


def connect() -> None:
    """Put the context into every message that this process sends, and take it from those that it works on."""
    before_task_publish.connect(_stamp, weak=False, dispatch_uid="foundation.task_context.stamp")
    task_prerun.connect(_enter, weak=False, dispatch_uid="foundation.task_context.enter")
    task_postrun.connect(_leave, weak=False, dispatch_uid="foundation.task_context.leave")


def header_of(task: Any, name: str) -> Any:
    """Return a header of the message that *task* is working on, or None."""
    value = getattr(task.request, name, None)
    # A task that is run in the process that asked for it has no message, but it may have been given headers.
    return value if value is not None else (task.request.headers or {}).get(name)


def _stamp(headers: dict[str, Any], **_: Any) -> None:
    fields = logs.bound_fields()
    headers[SENT_AT] = time.time()
    for header, field in ((REQUEST_ID, "request_id"), (PERSON_ID, "person_id")):
        if field in fields:
            headers[header] = fields[field]


def _enter(task_id: str, task: Any, **_: Any) -> None:
    _tokens[task_id] = logs.bind(
        task=task.name,
        task_id=task_id,
        request_id=header_of(task, REQUEST_ID),
        person_id=header_of(task, PERSON_ID),
    )


def _leave(task_id: str, **_: Any) -> None:
    token = _tokens.pop(task_id, None)
    if token is not None:
        logs.release(token)
