"""How a payout goes on: an operator sends it or rejects it, once."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from market.errors import ConflictError


class PayoutStatus(StrEnum):
    """Where a payout stands."""

    REQUESTED = "REQUESTED"
    SENT = "SENT"
    REJECTED = "REJECTED"


TRANSITIONS: Final[Mapping[PayoutStatus, frozenset[PayoutStatus]]] = {
    PayoutStatus.REQUESTED: frozenset({PayoutStatus.SENT, PayoutStatus.REJECTED}),
    PayoutStatus.SENT: frozenset(),
    PayoutStatus.REJECTED: frozenset(),
}


class PayoutClosedError(ConflictError):
    """The payout was sent or rejected already."""

    code = "payout_closed"

    def __init__(self, status: PayoutStatus) -> None:
        super().__init__(f"This payout was {status.value.lower()} already.")


def advance(current: PayoutStatus, to: PayoutStatus) -> PayoutStatus:
    """Return *to* if a payout may go there from *current*; raise PayoutClosedError if not."""
    if to not in TRANSITIONS[current]:
        raise PayoutClosedError(current)
    return to
