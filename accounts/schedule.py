"""What beat sends for the people, in seconds between two sends."""

from typing import Any, Final

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "accounts-sweep-mails": {
        "task": "accounts.sweep_mails",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
}
