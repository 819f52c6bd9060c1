"""What beat sends for the foundation, in seconds between two sends."""

from typing import Any, Final

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "foundation-beat": {"task": "foundation.beat", "schedule": 10.0, "options": {"expires": 30}},
    "foundation-redeliver-events": {
        "task": "foundation.redeliver_events",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
}
