"""What Stripe's answers and notices mean; anything that is not as expected proves nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from billing.domain.payments import DisputeState
from billing.providers.protocol import (
    Checkout,
    PayloadInvalidError,
    ProviderDispute,
    ProviderEvent,
    ProviderRefund,
    ProviderState,
    ProviderStatus,
    ProviderUnavailableError,
)
from billing.providers.stripe_money import from_stripe_units

#: Kinds of notices about a session, which name it.
_SESSION_KINDS: Final = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    }
)
#: Kinds of notices about what follows a payment, which name the payment. A charge is updated when its
#: fee is known.
_PAYMENT_KINDS: Final = frozenset(
    {
        "charge.refunded",
        "charge.updated",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    }
)
KINDS: Final = _SESSION_KINDS | _PAYMENT_KINDS

_LONGEST_ADDRESS: Final = 2_000
_LONGEST_ID: Final = 200
_LONGEST_KIND: Final = 100


class RefundStatus(StrEnum):
    """How a refund stands."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


_REFUND_STATUSES: Final = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}


_DISPUTE_STATES: Final = {"won": DisputeState.WON, "lost": DisputeState.LOST}


@contextmanager
def _readable() -> Iterator[None]:
    """Take an answer that lacks what every answer has for no answer."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ProviderUnavailableError("An answer of Stripe cannot be read.") from error


def read_checkout(session: Mapping[str, Any]) -> Checkout:
    """Return where a person pays a session."""
    with _readable():
        url, reference = session["url"], session["id"]
        # Only a stand-in on this machine answers without TLS.
        is_safe = url.startswith("https://") or bool(settings.STRIPE_API_BASE)
        if not is_safe or len(url) > _LONGEST_ADDRESS or not reference.startswith("cs_"):
            raise ValueError
    return Checkout(url, reference)


def payment_intent_of(session: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the payment of an expanded session; empty while there is none."""
    with _readable():
        intent: Mapping[str, Any] = session["payment_intent"] or {}
        if intent and not (intent["id"].startswith("pi_") and intent["currency"]):
            raise ValueError
    return intent


def metadata_of(session: Mapping[str, Any]) -> dict[str, str]:
    """Return what was sent along with a session."""
    return {str(name): str(value) for name, value in (session.get("metadata") or {}).items()}


def is_paid(session: Mapping[str, Any]) -> bool:
    """Tell whether the money of a session has arrived."""
    return session.get("status") == "complete" and session.get("payment_status") == "paid"


def is_disputed(intent: Mapping[str, Any]) -> bool:
    """Tell whether the charge of a payment was ever disputed."""
    charge = intent.get("latest_charge") or {}
    return bool(isinstance(charge, Mapping) and charge.get("disputed"))


def read_state(
    session: Mapping[str, Any],
    *,
    refunds: Sequence[Mapping[str, Any]],
    disputes: Sequence[Mapping[str, Any]] = (),
) -> ProviderState:
    """Return how an expanded session stands, with the refunds and the disputes of its payment."""
    intent = payment_intent_of(session)
    with _readable():
        status = _status_of(session, intent)
        is_settled = status == ProviderStatus.PAID
        # What has arrived counts, not what was asked for.
        source, units = (
            (intent, intent["amount_received"])
            if is_settled and intent
            else (session, session["amount_total"])
        )
        currency = source["currency"].upper()
        charge = (intent.get("latest_charge") or {}) if is_settled else {}
        return ProviderState(
            reference=session["id"],
            status=status,
            amount=from_stripe_units(units, currency),
            currency=currency,
            is_live=_boolean(session["livemode"]),
            customer=session["client_reference_id"] or "",
            metadata=metadata_of(session),
            fee=_fee_of(charge),
            paid_at=_instant(charge["created"]) if charge else None,
            failure=_failure_of(intent) if status == ProviderStatus.FAILED else "",
            refunds=[
                read_refund(refund)
                for refund in reversed(refunds)
                if refund_status(refund) == RefundStatus.SUCCEEDED
            ],
            # While a bank only inquires, it has taken nothing.
            disputes=[
                read_dispute(dispute)
                for dispute in reversed(disputes)
                if dispute["balance_transactions"]
            ],
        )


def refund_status(refund: Mapping[str, Any]) -> RefundStatus:
    """Return how a refund stands; a status that nobody knows yet is not decided."""
    with _readable():
        return _REFUND_STATUSES.get(refund["status"], RefundStatus.PENDING)


def read_refund(refund: Mapping[str, Any]) -> ProviderRefund:
    """Return a refund in plain values."""
    with _readable():
        amount = from_stripe_units(refund["amount"], refund["currency"])
        return ProviderRefund(refund["id"], amount, metadata_of(refund))


def read_dispute(dispute: Mapping[str, Any]) -> ProviderDispute:
    """Return a dispute for which money was taken, in plain values."""
    with _readable():
        currency = dispute["currency"]
        amount = from_stripe_units(dispute["amount"], currency)
        return ProviderDispute(
            dispute["id"],
            amount,
            _DISPUTE_STATES.get(dispute["status"], DisputeState.OPEN),
            fee=sum(
                (_cost_of(moved, amount, currency) for moved in dispute["balance_transactions"]),
                Decimal(0),
            ),
        )


def _cost_of(moved: Mapping[str, Any], amount: Decimal, currency: str) -> Decimal:
    """Return what Stripe keeps for a movement of *amount*, in *currency*; below zero what it returns."""
    fee = from_stripe_units(moved["fee"], moved["currency"])
    if moved["currency"] == currency:
        return fee
    return fee * amount / abs(from_stripe_units(moved["amount"], moved["currency"]))


def find_refund(
    refunds: Sequence[Mapping[str, Any]], *, refund_id: UUID
) -> Mapping[str, Any] | None:
    """Return the refund that carries our id, or None."""
    return next(
        (refund for refund in refunds if metadata_of(refund).get("refund") == str(refund_id)), None
    )


def read_notice(raw_body: bytes, *, slot: str) -> ProviderEvent:
    """Return the notice that a body holds; raise PayloadInvalidError for anything else."""
    try:
        body: Any = json.loads(raw_body)
        external_id, kind, subject = body["id"], body["type"], body["data"]["object"]
        is_live, occurred_at = _boolean(body["livemode"]), _instant(body["created"])
        # A notice with an account is about somebody else's, to whom ours may be connected.
        is_known = kind in KINDS and not body.get("account")
        reference = subject.get("id" if kind in _SESSION_KINDS else "payment_intent") or ""
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        raise PayloadInvalidError from None
    except RecursionError:
        raise PayloadInvalidError from None
    if not (_is_text(external_id, _LONGEST_ID) and _is_text(kind, _LONGEST_KIND)):
        raise PayloadInvalidError
    has_reference = _is_text(reference, _LONGEST_ID)
    if kind in _SESSION_KINDS and not has_reference:
        raise PayloadInvalidError
    return ProviderEvent(
        external_id=external_id,
        kind=kind,
        reference=reference if has_reference else "",
        occurred_at=occurred_at,
        is_live=is_live,
        # A charge that belongs to no payment was not made through a session.
        is_known=is_known and has_reference,
        proven_with=slot,
    )


def _status_of(session: Mapping[str, Any], intent: Mapping[str, Any]) -> ProviderStatus:
    status, payment_status = session["status"], session["payment_status"]
    if status == "expired":
        return ProviderStatus.EXPIRED
    if status != "complete":
        return ProviderStatus.PENDING
    if payment_status in {"paid", "no_payment_required"}:
        # Where nothing was to be paid, an amount of zero will not be that of the order.
        return ProviderStatus.PAID
    # The person has done everything; a bank says yes or no within days.
    has_failed = intent.get("status") in {"requires_payment_method", "canceled"}
    return ProviderStatus.FAILED if has_failed else ProviderStatus.PENDING


def _fee_of(charge: Mapping[str, Any]) -> Decimal:
    """Return what Stripe keeps of a charge, in the currency of the charge; 0 while it is not known.

    It is taken out of the account's own currency, at the rate at which the charge was changed.
    """
    kept = charge.get("balance_transaction")
    if not kept:
        return Decimal(0)
    fee = from_stripe_units(kept["fee"], kept["currency"])
    if kept["currency"] == charge["currency"]:
        return fee
    credited = from_stripe_units(kept["amount"], kept["currency"])
    return fee * from_stripe_units(charge["amount"], charge["currency"]) / credited


def _failure_of(intent: Mapping[str, Any]) -> str:
    error = intent.get("last_payment_error") or {}
    return str(error.get("code") or "declined")


def _instant(seconds: Any) -> datetime:
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise TypeError
    return datetime.fromtimestamp(seconds, tz=UTC)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and "\0" not in value
