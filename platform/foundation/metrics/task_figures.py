"""How long tasks wait and take, and which fail; measured where they run.

A task whose process is killed (hard time limit, out of memory) cannot report; its row is found by its sweeper.
"""

import time
from typing import Any, Final

from celery.signals import task_postrun, task_prerun

from foundation.metrics.instruments import TASK_FAILURES, TASK_SECONDS, TASK_WAIT_SECONDS
from foundation.task_context import SENT_AT, header_of

_OUTCOMES: Final = {"SUCCESS": "done", "FAILURE": "failed", "RETRY": "retried"}
_begun: dict[str, float] = {}


def connect() -> None:
    """Measure every task that this process works on."""
    task_prerun.connect(_begin, weak=False, dispatch_uid="foundation.metrics.begin")
    task_postrun.connect(_end, weak=False, dispatch_uid="foundation.metrics.end")


def _begin(task_id: str, task: Any, **_: Any) -> None:
    _begun[task_id] = time.perf_counter()
    sent_at = header_of(task, SENT_AT)
    if isinstance(sent_at, int | float):
        # The clocks of two machines may differ a little; nothing arrives before it was sent.
        TASK_WAIT_SECONDS.labels(task.name).observe(max(0.0, time.time() - sent_at))


def _end(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    begun = _begun.pop(task_id, None)
    if begun is None:
        return
    outcome = _OUTCOMES.get(state or "", "other")
    TASK_SECONDS.labels(task.name, outcome).observe(time.perf_counter() - begun)
    if outcome == "failed":
        TASK_FAILURES.labels(task.name).inc()
