"""What beat sends for the referrals, in seconds between two sends."""

from typing import Any, Final

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "referrals-mature-commissions": {
        "task": "referrals.mature_commissions",
        "schedule": 60.0,
        "options": {"expires": 120},
    },
}
