"""What beat sends and how often: each app declares its own part in ``schedule.py``."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

_APPS: Final = (
    "foundation",
    "accounts",
    "billing",
    "exchanges",
    "backtesting",
    "trading",
    "referrals",
)


def collect_schedule() -> dict[str, dict[str, Any]]:
    """Return the schedules of all apps as one; the same name twice raises ValueError."""
    collected: dict[str, dict[str, Any]] = {}
    for app in _APPS:
        if find_spec(f"{app}.schedule") is None:
            continue
        for name, entry in import_module(f"{app}.schedule").BEAT_SCHEDULE.items():
            if name in collected:
                raise ValueError(f"The schedule entry {name!r} is declared twice.")
            collected[name] = entry
    return collected
