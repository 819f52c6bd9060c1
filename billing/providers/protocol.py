"""What billing needs from a payment provider, in plain values; amounts are in the currency's own unit.

Every call may leave the process, so none is made inside a transaction. Whoever implements this keeps
keys and secrets to itself: nothing here carries one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

from billing.domain.payments import DisputeState
from market.errors import InvalidInputError, PlatformError


class ProviderError(PlatformError):
    """The payment provider did not do what it was asked."""

    code = "provider_error"
    status = 502
    title = "The payment provider did not do this"


class ProviderUnavailableError(ProviderError):
    """No answer, or one that proves nothing: ask again later, with the same idempotency key."""

    code = "provider_unavailable"
    status = 503


class ProviderRejectedError(ProviderError):
    """The provider answered and refused for good: asking again would not help."""

    code = "provider_rejected"
    status = 422


class UnknownReferenceError(ProviderError):
    """The provider knows no such object."""

    code = "unknown_reference"


class ProviderNotConfiguredError(ProviderError):
    """A secret of this provider is missing, or nothing is sold here."""

    code = "provider_not_configured"
    status = 503


class SignatureInvalidError(InvalidInputError):
    """A notice is not proven to come from the provider, or is too old; why is not told."""

    code = "signature_invalid"

    def __init__(self) -> None:
        super().__init__("The signature is not valid.")


class PayloadInvalidError(InvalidInputError):
    """A proven notice that cannot be read: a change at the provider, or a bug here."""

    code = "payload_invalid"

    def __init__(self) -> None:
        super().__init__("The notice cannot be read.")


class ProviderStatus(StrEnum):
    """How a payment stands at the provider."""

    #: The person may pay, or has paid and the bank has not confirmed it.
    PENDING = "PENDING"
    PAID = "PAID"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """What a person is asked to pay for.

    ``payment_id`` and ``customer`` (the public ids of the payment and of the person) go into the
    metadata as ``payment`` and ``customer``, and are compared when the provider is asked.
    """

    payment_id: UUID
    customer: str
    email: str
    amount: Decimal
    currency: str
    description: str
    idempotency_key: str
    return_url: str
    cancel_url: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the person pays, and what the provider calls it."""

    url: str
    reference: str


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """Money that the provider has given back; ``metadata["refund"]`` is our refund's public id, if ours."""

    reference: str
    amount: Decimal
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderDispute:
    """Money that the payer's bank has taken back; ``fee`` is what the provider keeps for the work."""

    reference: str
    amount: Decimal
    state: DisputeState
    fee: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ProviderState:
    """What is true at the provider at the moment of asking.

    ``reference`` is that of the checkout, whatever was asked for. ``fee`` is what the provider keeps;
    ``refunds`` are those that have succeeded, ``disputes`` those for which money was taken. ``customer`` is the ``customer`` of the order.
    """

    reference: str
    status: ProviderStatus
    amount: Decimal
    currency: str
    is_live: bool
    customer: str
    metadata: Mapping[str, str]
    fee: Decimal = Decimal(0)
    paid_at: datetime | None = None
    failure: str = ""
    refunds: Sequence[ProviderRefund] = ()
    disputes: Sequence[ProviderDispute] = ()


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """A proven notice. ``is_known`` False for kinds that concern no payment: they are kept and ignored.

    ``reference`` is something that ``fetch`` takes; ``proven_with`` tells which of the two secrets proved it.
    """

    external_id: str
    kind: str
    reference: str
    occurred_at: datetime
    is_live: bool
    is_known: bool = True
    proven_with: str = "current"


class PaymentProvider(Protocol):
    """One provider. Raises ProviderError; never returns floats and never keeps a transaction open."""

    code: ClassVar[str]

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def is_live(self) -> bool:
        """Whether its keys move real money."""
        ...

    def create_checkout(self, order: CheckoutOrder) -> Checkout:
        """Ask for the money; the same idempotency key returns the same checkout."""
        ...

    def fetch(self, reference: str) -> ProviderState:
        """Return what is true now; raise UnknownReferenceError for what the provider does not know."""
        ...

    def refund(
        self, reference: str, *, amount: Decimal, refund_id: UUID, idempotency_key: str
    ) -> ProviderRefund | None:
        """Give *amount* back; None if the provider has taken it on and will tell later."""
        ...

    def verify(
        self, headers: Mapping[str, str], raw_body: bytes, *, now: datetime
    ) -> ProviderEvent:
        """Return the notice in *raw_body* if it is proven; header names are in lower case.

        Raises ProviderNotConfiguredError, SignatureInvalidError or PayloadInvalidError.
        """
        ...
