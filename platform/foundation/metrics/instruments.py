"""What a process measures about itself.

With ``PROMETHEUS_MULTIPROC_DIR`` set, the processes of one server (gunicorn's, or the children of one worker) keep
their figures in files of that folder, and whichever is asked adds them up.
"""

from typing import Final

from prometheus_client import Counter, Histogram

REQUEST_SECONDS: Final = Histogram(
    "platform_http_request_seconds",
    "Time from a request's arrival to its answer.",
    ["method", "route", "status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
TASK_SECONDS: Final = Histogram(
    "platform_task_seconds",
    "Time that a task took.",
    ["task", "outcome"],
    buckets=(0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
TASK_WAIT_SECONDS: Final = Histogram(
    "platform_task_wait_seconds",
    "Time from the sending of a message to the begin of its task.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0),
)
TASK_FAILURES: Final = Counter("platform_task_failures", "Tasks that ended in an error.", ["task"])
