"""The broker, the queues and the workers: what Celery reads."""

from typing import Final

from kombu import Queue

from config.schedule import collect_schedule
from config.settings.environment import ENVIRONMENT

#: Every queue, and what travels on it; a task that names another one is refused.
QUEUES: Final = {
    "control": "stop, flatten, cancel, halt, key tests",
    "orders": "submission, reconciliation",
    "ingest": "candles from venues",
    "evaluate": "strategies at each closed bar",
    "compute": "backtests",
    "default": "events, mail, housekeeping",
}

CELERY_BROKER_URL = ENVIRONMENT.redis_url
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than any task but the computations, which keep a lease of their own: a message whose
    # worker died comes back after this long at the latest. One value everywhere: the smallest wins.
    "visibility_timeout": 600,
    # By default messages of the dead are looked for about every 100 s.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "queue_order_strategy": "priority",
    # A broker that is frozen, not gone, holds a worker up for ever without these. Longer than the
    # second for which a worker waits for a message.
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "retry_on_timeout": True,
    "health_check_interval": 15,
}
#: How long whoever sends a message waits for the broker: a request must not hang on a hint. Twice
#: this with the one retry below; the sweeper of the row sends what did not go out.
QUEUE_PUBLISH_TIMEOUT_S = 2.0
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.5}
# Workers come back by themselves, however long the broker was away.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None

CELERY_TASK_QUEUES = tuple(Queue(name) for name in QUEUES)
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = ["foundation.queue.route_task"]
# A typing error is an error, not a queue that nobody serves.
CELERY_TASK_CREATE_MISSING_QUEUES = False
# No pickle: a message cannot run code.
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# There is no result backend: results are rows, and nothing of a task stays in the broker.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_RESULT_EXTENDED = False

# A message is given back if its worker dies before the task is done …
CELERY_TASK_ACKS_LATE = True
# … but not if only the child died: a message that kills would kill for ever. A sweeper finds its row.
CELERY_TASK_REJECT_ON_WORKER_LOST = False
# Nor if the task failed or took too long: no message comes round and round.
CELERY_TASK_ACKS_ON_FAILURE = True
CELERY_TASK_ACKS_ON_TIMEOUT = True
# Below the lease of 60 s. Computations name their own limits, with a lease that they prolong.
CELERY_TASK_SOFT_TIME_LIMIT = 30
CELERY_TASK_TIME_LIMIT = 45

# Nothing is hoarded behind a slow task while another worker is idle.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
# Tasks run on while the broker is away, although their message is delivered again: claims and
# unique keys make the second one harmless, and canceling has brought whole workers down.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# Children are replaced against leaks. Not as often, nor as small, as for a child that only waits:
# one holds compiled kernels and a venue's markets, and each new one has to warm up again, so the
# limits are well above what one needs. A limit below that replaces children in a loop.
CELERY_WORKER_MAX_TASKS_PER_CHILD = 5_000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 600_000
# What must not begin before an instant is a row with ``not_before``. Should somebody send such a
# message all the same, it does not fill the memory of a worker.
CELERY_WORKER_ETA_TASK_LIMIT = 1_000
# SIGTERM lets the running task end: a container is given more time than a task. Whoever is told to
# go at once, by SIGQUIT or a second SIGTERM, still has this long, and gives back what is not done.
# Idle workers go at once: no message waits in one, since none has an ETA.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30.0
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Events would carry arguments; that a worker works is told by a row that its own tasks write, for a
# process that is up may have stopped to consume.
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_SEND_SENT_EVENT = False

# No schedule jumps in spring.
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "foundation.beat:LeaderScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE = collect_schedule()
