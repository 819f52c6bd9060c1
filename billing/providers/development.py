"""The provider for development: a small bank inside the installation, so that buying works at once.

It is asked and it tells like any other: charges by an idempotency key, notices that are signed, repeated
until they are answered and in no certain order, and a state that has to be fetched. No money moves.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from billing.models import DevelopmentCharge, DevelopmentChargeState, DevelopmentRefund
from billing.providers import signatures
from billing.providers.protocol import (
    Checkout,
    CheckoutOrder,
    PayloadInvalidError,
    ProviderEvent,
    ProviderRefund,
    ProviderRejectedError,
    ProviderState,
    ProviderStatus,
    UnknownReferenceError,
)
from foundation.transactions import refuse_inside_transaction

#: The header of a notice, in lower case.
SIGNATURE_HEADER: Final = "development-signature"

#: Kinds of notices that concern a payment.
KINDS: Final = frozenset(
    {"charge.delayed", "charge.paid", "charge.failed", "charge.expired", "charge.refunded"}
)

_STATUSES: Final = {
    DevelopmentChargeState.OPEN: ProviderStatus.PENDING,
    DevelopmentChargeState.DELAYED: ProviderStatus.PENDING,
    DevelopmentChargeState.PAID: ProviderStatus.PAID,
    DevelopmentChargeState.FAILED: ProviderStatus.FAILED,
    DevelopmentChargeState.EXPIRED: ProviderStatus.EXPIRED,
}


class DevelopmentProvider:
    """The bank of the tables ``Development…``; its page is ``/billing/development/<reference>/``."""

    code: ClassVar[str] = "development"
    name = "the development bank"
    is_live = False

    def create_checkout(self, order: CheckoutOrder) -> Checkout:
        """Open a charge, once for an idempotency key."""
        refuse_inside_transaction("A call of the payment provider")
        charge = DevelopmentCharge.objects.opened(
            idempotency_key=order.idempotency_key,
            amount=order.amount,
            currency=order.currency,
            description=order.description[:200],
            customer=order.customer,
            metadata={"payment": str(order.payment_id), "customer": order.customer},
            return_url=order.return_url,
            cancel_url=order.cancel_url,
        )
        reference = str(charge.reference)
        return Checkout(reverse("billing:development", args=[reference]), reference)

    def fetch(self, reference: str) -> ProviderState:
        """Return how the charge stands now."""
        refuse_inside_transaction("A call of the payment provider")
        charge = _find(reference)
        is_paid = charge.state == DevelopmentChargeState.PAID
        return ProviderState(
            reference=str(charge.reference),
            status=_STATUSES[DevelopmentChargeState(charge.state)],
            amount=charge.amount,
            currency=charge.currency,
            is_live=False,
            customer=charge.customer,
            metadata=dict(charge.metadata),
            fee=charge.fee,
            paid_at=charge.changed_at if is_paid else None,
            failure="declined" if charge.state == DevelopmentChargeState.FAILED else "",
            refunds=[_present(refund) for refund in charge.refunds.order_by("pk")],
        )

    def refund(
        self, reference: str, *, amount: Decimal, refund_id: UUID, idempotency_key: str
    ) -> ProviderRefund | None:
        """Give money back at once, once for an idempotency key."""
        refuse_inside_transaction("A call of the payment provider")
        charge = _find(reference)
        refund = DevelopmentRefund.objects.given(
            charge=charge,
            amount=amount,
            idempotency_key=idempotency_key,
            metadata={"refund": str(refund_id)},
        )
        if refund is None:
            raise ProviderRejectedError("The bank has not so much of this payment to give back.")
        return _present(refund)

    def verify(
        self, headers: Mapping[str, str], raw_body: bytes, *, now: datetime
    ) -> ProviderEvent:
        """Return the notice in *raw_body* if one of the two secrets proves it."""
        slot = signatures.verify(
            headers.get(SIGNATURE_HEADER, ""),
            raw_body,
            secrets=settings.DEVELOPMENT_WEBHOOK_SECRETS,
            now=now,
        )
        return read_notice(raw_body, slot=slot)


def write_notice(*, external_id: UUID, kind: str, reference: str, occurred_at: datetime) -> bytes:
    """Return the body of a notice."""
    body = {
        "id": str(external_id),
        "type": kind,
        "created": occurred_at.isoformat(),
        "livemode": False,
        "reference": reference,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def read_notice(raw_body: bytes, *, slot: str) -> ProviderEvent:
    """Return the notice that a body holds; raise PayloadInvalidError for anything else."""
    try:
        body: Any = json.loads(raw_body)
        external_id, kind, reference = body["id"], body["type"], body["reference"]
        is_live = body["livemode"]
        occurred_at = datetime.fromisoformat(body["created"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PayloadInvalidError from None
    texts = (external_id, kind, reference)
    if not all(
        isinstance(text, str) and 0 < len(text) <= 100 and "\0" not in text for text in texts
    ):
        raise PayloadInvalidError
    if not isinstance(is_live, bool):
        raise PayloadInvalidError
    return ProviderEvent(
        external_id=external_id,
        kind=kind,
        reference=reference,
        occurred_at=occurred_at,
        is_live=is_live,
        is_known=kind in KINDS,
        proven_with=slot,
    )


def _find(reference: str) -> DevelopmentCharge:
    try:
        charge = DevelopmentCharge.objects.filter(reference=UUID(reference)).first()
    except ValueError:
        charge = None
    if charge is None:
        raise UnknownReferenceError("The bank knows no such charge.")
    return charge


def _present(refund: DevelopmentRefund) -> ProviderRefund:
    return ProviderRefund(str(refund.reference), refund.amount, dict(refund.metadata))
