"""What beat sends for the people, in seconds between two sends."""

from typing import Any, Final

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "accounts-sweep-mails": {
        "task": "accounts.sweep_mails",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "accounts-prune-mails": {
        "task": "accounts.prune_mails",
        "schedule": 3_600.0,
        "options": {"expires": 3_600},
    },
    "accounts-prune-notifications": {
        "task": "accounts.prune_notifications",
        "schedule": 3_600.0,
        "options": {"expires": 3_600},
    },
    "accounts-forget-ended-sign-ins": {
        "task": "accounts.forget_ended_sign_ins",
        "schedule": 3_600.0,
        "options": {"expires": 3_600},
    },
}
