"""Places at which a test can kill the process, to prove that nothing is lost or done twice.

In production a crash point is one comparison. With ``CRASHPOINT=name`` in the environment the
process that reaches that name kills itself with SIGKILL: no handler runs, no transaction commits.
"""

import os
import signal
from collections.abc import Callable
from typing import Final

#: Every place that exists; a name that is not listed is a mistake of the caller.
CRASHPOINTS: Final = (
    "evaluation.claimed",
    "evaluation.bars_read",
    "evaluation.decided",
    "evaluation.intents_written",
    "evaluation.stepped",
    "evaluation.advanced",
    "evaluation.finished",
    "submission.claimed",
    "submission.prepared",
    "submission.sending",
    "submission.reply_read",
    "submission.answered",
    "submission.settling",
    "submission.state_written",
    "submission.settled",
    "fills.inserted",
    "fills.booked",
    "protection.stop_decided",
    "reconciliation.claimed",
    "reconciliation.asked",
    "reconciliation.applied",
    "reconciliation.cursor_moved",
    "commands.recorded",
    "commands.acting",
    "commands.cancel_answered",
    "outbox.written",
    "outbox.delivered",
    "sweeps.claimed",
    "sweeps.computed",
    "sweeps.stored",
    "keys.rotated",
)

_armed: str = os.environ.get("CRASHPOINT", "")
_visits_left: int = 1
_by: int | Callable[[], None] = signal.SIGKILL


def arm(name: str, *, visits: int = 1, by: int | Callable[[], None] = signal.SIGKILL) -> None:
    """Send this process the signal *by* when it reaches *name* for the *visits*-th time.

    SIGSTOP lets it sleep there until somebody wakes it, as a machine does that was too busy. A
    function is called instead, once. An unknown name raises ValueError.
    """
    global _armed, _visits_left, _by
    if name not in CRASHPOINTS:
        raise ValueError(f"There is no crash point called {name!r}.")
    _armed, _visits_left, _by = name, visits, by


def disarm() -> None:
    """Let the process live, wherever it comes."""
    global _armed  # noqa: PLW0603  see ``arm``
    _armed = ""


def crashpoint(name: str) -> None:
    """Die here if this place was chosen."""
    if _armed and _armed == name:
        _reach()


def _reach() -> None:
    global _armed, _visits_left  # noqa: PLW0603  see ``arm``
    _visits_left -= 1
    if _visits_left == 0:
        _armed = ""
        if callable(_by):
            _by()
        else:
            os.kill(os.getpid(), _by)
