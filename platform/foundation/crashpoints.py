"""Places at which a test can kill the process, to prove that nothing is lost or done twice.

In production a crash point is one comparison. With ``CRASHPOINT=name`` in the environment the
process that reaches that name kills itself with SIGKILL: no handler runs, no transaction commits.
"""

import os
import signal
from typing import Final

#: Every place that exists; a name that is not listed is a mistake of the caller.
CRASHPOINTS: Final = (
    "evaluation.claimed",
    "evaluation.decided",
    "evaluation.stepped",
    "evaluation.finished",
    "submission.claimed",
    "submission.prepared",
    "submission.sending",
    "submission.answered",
    "submission.settling",
    "submission.settled",
    "fills.booked",
    "reconciliation.claimed",
    "reconciliation.asked",
    "reconciliation.applied",
    "commands.recorded",
    "commands.acting",
    "sweeps.claimed",
    "sweeps.computed",
    "sweeps.stored",
    "keys.rotated",
)

_armed: str = os.environ.get("CRASHPOINT", "")


def arm(name: str) -> None:
    """Kill this process when it reaches *name*; an unknown name raises ValueError."""
    global _armed  # noqa: PLW0603  one process dies at one place
    if name not in CRASHPOINTS:
        raise ValueError(f"There is no crash point called {name!r}.")
    _armed = name


def crashpoint(name: str) -> None:
    """Die here if this place was chosen."""
    if _armed and _armed == name:
        os.kill(os.getpid(), signal.SIGKILL)
