"""What beat sends for the foundation, in seconds between two sends."""

from typing import Any, Final

#: The queues whose workers give signs of life; a test compares them with the settings, which import this module.
WATCHED_QUEUES: Final = ("control", "orders", "ingest", "evaluate", "compute", "default")

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "foundation-beat": {"task": "foundation.beat", "schedule": 10.0, "options": {"expires": 30}},
    "foundation-redeliver-events": {
        "task": "foundation.redeliver_events",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "foundation-forget-answered-requests": {
        "task": "foundation.forget_answered_requests",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    **{
        f"foundation-worker-beat-{queue}": {
            "task": "foundation.worker_beat",
            "schedule": 10.0,
            "kwargs": {"queue": queue},
            "options": {"queue": queue, "expires": 30},
        }
        for queue in WATCHED_QUEUES
    },
}
