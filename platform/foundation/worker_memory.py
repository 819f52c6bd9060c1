"""What the processes of a worker share with it: all that was loaded before they were made.

Without this each of them would go through half a million such objects whenever it looks for garbage, which takes a
fifth of a second in the middle of a task, and copies the pages that they lie in.
"""

import gc
from typing import Any

from celery.signals import worker_before_create_process


def connect() -> None:
    """Set aside what is there before each process of a worker is made; other processes never are."""
    worker_before_create_process.connect(
        _set_aside, weak=False, dispatch_uid="foundation.worker_memory.set_aside"
    )


def _set_aside(**_: Any) -> None:
    gc.collect()
    gc.freeze()
