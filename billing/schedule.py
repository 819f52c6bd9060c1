"""What beat sends for billing, in seconds between two sends."""

from typing import Any, Final

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "billing-expire-subscriptions": {
        "task": "billing.expire_subscriptions",
        "schedule": 60.0,
        "options": {"expires": 120},
    },
    "billing-remind-of-ends": {
        "task": "billing.remind_of_ends",
        "schedule": 60.0,
        "options": {"expires": 120},
    },
}
