"""Stripe: the person pays on a page of Stripe's (a checkout session), and notices tell that it happened.

A reference is the id of a session (``cs_…``); what concerns a payment only (``pi_…``) is traced to its
session. Nothing of a card ever reaches this platform.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import UUID

from django.conf import settings

from billing.providers import signatures, stripe_answers
from billing.providers.protocol import (
    Checkout,
    CheckoutOrder,
    ProviderEvent,
    ProviderNotConfiguredError,
    ProviderRefund,
    ProviderRejectedError,
    ProviderState,
    UnknownReferenceError,
)
from billing.providers.stripe_answers import RefundStatus, find_refund, refund_status
from billing.providers.stripe_money import to_stripe_units
from foundation.transactions import refuse_inside_transaction

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

    from billing.providers.stripe_client import StripeCalls

#: The header of a notice, in lower case.
SIGNATURE_HEADER: Final = "stripe-signature"

_LIVE_KEYS: Final = ("sk_live_", "rk_live_")
_LONGEST_TEXT: Final = 200


class StripeProvider:
    """Checkout sessions of Stripe, with ``STRIPE_SECRET_KEY`` and two active secrets for its notices."""

    code: ClassVar[str] = "stripe"
    name = "Stripe"

    @property
    def is_live(self) -> bool:
        """Whether the key moves real money."""
        return settings.STRIPE_SECRET_KEY.startswith(_LIVE_KEYS)

    def create_checkout(self, order: CheckoutOrder) -> Checkout:
        """Open a session over exactly the amount of the order, once for an idempotency key."""
        refuse_inside_transaction("A call of the payment provider")
        session = _calls().create_session(
            _session_params(order), idempotency_key=order.idempotency_key
        )
        return stripe_answers.read_checkout(session)

    def fetch(self, reference: str) -> ProviderState:
        """Return how the session or payment stands now."""
        refuse_inside_transaction("A call of the payment provider")
        calls = _calls()
        session = calls.retrieve_session(_session_id(reference, calls))
        intent = stripe_answers.payment_intent_of(session)
        was_paid = bool(intent) and stripe_answers.is_paid(session)
        refunds = calls.refunds_of(intent["id"]) if was_paid else []
        was_disputed = was_paid and stripe_answers.is_disputed(intent)
        disputes = calls.disputes_of(intent["id"]) if was_disputed else []
        return stripe_answers.read_state(session, refunds=refunds, disputes=disputes)

    def refund(
        self, reference: str, *, amount: Decimal, refund_id: UUID, idempotency_key: str
    ) -> ProviderRefund | None:
        """Give money back, once for a *refund_id*; None while Stripe or a bank still works on it.

        Stripe forgets idempotency keys after a day, so a refund of ours is looked for first.
        """
        refuse_inside_transaction("A call of the payment provider")
        calls = _calls()
        session = calls.retrieve_session(_session_id(reference, calls))
        intent = stripe_answers.payment_intent_of(session)
        if not intent or not stripe_answers.is_paid(session):
            raise ProviderRejectedError("Stripe has not been paid, so nothing can be given back.")
        refund = find_refund(calls.refunds_of(intent["id"]), refund_id=refund_id)
        if refund is None:
            metadata = {"refund": str(refund_id), **stripe_answers.metadata_of(session)}
            refund = calls.create_refund(
                {
                    "payment_intent": intent["id"],
                    "amount": to_stripe_units(amount, intent["currency"]),
                    "metadata": metadata,
                },
                idempotency_key=idempotency_key,
            )
        status = refund_status(refund)
        if status == RefundStatus.FAILED:
            raise ProviderRejectedError("Stripe could not give this money back.")
        return stripe_answers.read_refund(refund) if status == RefundStatus.SUCCEEDED else None

    def verify(
        self, headers: Mapping[str, str], raw_body: bytes, *, now: datetime
    ) -> ProviderEvent:
        """Return the notice in *raw_body* if one of the two secrets proves it."""
        slot = signatures.verify(
            headers.get(SIGNATURE_HEADER, ""),
            raw_body,
            secrets=settings.STRIPE_WEBHOOK_SECRETS,
            now=now.astimezone(UTC),
        )
        return stripe_answers.read_notice(raw_body, slot=slot)


def _calls() -> "StripeCalls":
    """Return the calls of Stripe; the library behind them is loaded with the first."""
    if not settings.STRIPE_SECRET_KEY:
        raise ProviderNotConfiguredError("There is no key for Stripe here.")
    from billing.providers.stripe_client import calls_with  # noqa: PLC0415  a second to load

    return calls_with(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)


def _session_id(reference: str, calls: "StripeCalls") -> str:
    if reference.startswith("pi_"):
        found = calls.find_session_id(reference)
        if found is None:
            raise UnknownReferenceError("This payment belongs to no checkout session.")
        return found
    if not reference.startswith("cs_"):
        raise UnknownReferenceError("Stripe knows no such object.")
    return reference


def _session_params(order: CheckoutOrder) -> "SessionCreateParams":
    """Return what is asked of Stripe: one thing, at our amount, without anything that could change it.

    The same order gives the same parameters, or Stripe would refuse a repeat of its key; so there is no
    time in them.
    """
    currency = order.currency.lower()
    metadata = {"payment": str(order.payment_id), "customer": order.customer}
    description = order.description[:_LONGEST_TEXT]
    params: SessionCreateParams = {
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": currency,
                    "unit_amount": to_stripe_units(order.amount, currency),
                    "product_data": {"name": description},
                },
            }
        ],
        "client_reference_id": order.customer,
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata, "description": description},
        "adaptive_pricing": {"enabled": False},
        "success_url": order.return_url,
        "cancel_url": order.cancel_url,
    }
    if order.email:
        params["customer_email"] = order.email
    return params
