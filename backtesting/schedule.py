"""What beat sends for backtesting, in seconds between two sends."""

from typing import Any, Final

BEAT_SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "backtesting-sweep": {
        "task": "backtesting.sweep",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "backtesting-look-after-awaited": {
        "task": "backtesting.look_after_awaited",
        "schedule": 2.0,
        "options": {"expires": 10},
    },
    "backtesting-purge-deleted": {
        "task": "backtesting.purge_deleted",
        "schedule": 3_600.0,
        "options": {"expires": 3_600},
    },
    "backtesting-purge-sweeps": {
        "task": "backtesting.purge_sweeps",
        "schedule": 3_600.0,
        "options": {"expires": 3_600},
    },
    "backtesting-look-after-sweeps": {
        "task": "backtesting.look_after_sweeps",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "backtesting-sweep-checks": {
        "task": "backtesting.sweep_checks",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "backtesting-sweep-evidence": {
        "task": "backtesting.sweep_evidence",
        "schedule": 300.0,
        "options": {"expires": 600},
    },
}
