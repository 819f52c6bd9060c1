"""What the venue that lives in this process can be told to do wrong."""

from dataclasses import dataclass
from typing import Final

from exchanges.adapters.protocol import Outcome, OutcomeKind


@dataclass(frozen=True, slots=True)
class SubmitFault:
    """How one submit goes; see ``InMemoryVenue.next_submit``."""

    times_out: bool
    but_is_accepted: bool
    is_not_sent: bool
    rejects_with: str
    hidden_for: int
    fills_late: bool
    parts: int


@dataclass(frozen=True, slots=True)
class CancelFault:
    """How one cancellation goes; see ``InMemoryVenue.next_cancel``."""

    times_out: bool
    but_is_canceled: bool
    rejects_with: str


NO_FAULT: Final = SubmitFault(
    times_out=False,
    but_is_accepted=False,
    is_not_sent=False,
    rejects_with="",
    hidden_for=0,
    fills_late=False,
    parts=1,
)


def unanswered() -> Outcome:
    """Return the outcome of a call that nobody answered."""
    return Outcome(OutcomeKind.UNKNOWN, code="venue_timeout", evidence={"wire_started": True})
