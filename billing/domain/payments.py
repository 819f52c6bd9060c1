"""The life of a payment and of a refund: which state may follow which."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class PaymentState(StrEnum):
    """Where a payment stands."""

    #: Ordered here; the provider has not been asked, or has not answered.
    CREATED = "CREATED"
    #: The provider waits for the person to pay.
    PENDING = "PENDING"
    SETTLED = "SETTLED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"
    REFUNDED = "REFUNDED"


_S: Final = PaymentState

#: Money that arrives after all still counts: only from being paid there is no way back but a refund.
PAYMENT_TRANSITIONS: Final[Mapping[PaymentState, frozenset[PaymentState]]] = MappingProxyType(
    {
        _S.CREATED: frozenset({_S.PENDING, _S.SETTLED, _S.FAILED, _S.EXPIRED}),
        _S.PENDING: frozenset({_S.SETTLED, _S.FAILED, _S.EXPIRED}),
        _S.FAILED: frozenset({_S.SETTLED}),
        _S.EXPIRED: frozenset({_S.SETTLED}),
        _S.SETTLED: frozenset({_S.PARTLY_REFUNDED, _S.REFUNDED}),
        _S.PARTLY_REFUNDED: frozenset({_S.REFUNDED}),
        _S.REFUNDED: frozenset(),
    }
)

#: States in which the money is ours, or was and was given back in part or whole.
PAID: Final = frozenset({_S.SETTLED, _S.PARTLY_REFUNDED, _S.REFUNDED})
#: States in which the person may still pay.
OPEN: Final = frozenset({_S.CREATED, _S.PENDING})


class RefundState(StrEnum):
    """Where a refund stands."""

    REQUESTED = "REQUESTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class DisputeState(StrEnum):
    """Where a dispute stands: the payer's bank has taken the money back until it is won or lost."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class IllegalTransitionError(ValueError):
    """A payment cannot go from the one state to the other: a bug of the caller."""

    def __init__(self, current: PaymentState, to: PaymentState) -> None:
        super().__init__(f"A payment does not go from {current} to {to}.")


def may_advance(current: PaymentState, to: PaymentState) -> bool:
    """Tell whether a payment in *current* may go to *to*."""
    return to in PAYMENT_TRANSITIONS[current]


def advance(current: PaymentState, to: PaymentState) -> PaymentState:
    """Return *to* if a payment in *current* may go there; raise IllegalTransitionError if not."""
    if not may_advance(current, to):
        raise IllegalTransitionError(current, to)
    return to
