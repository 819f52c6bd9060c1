"""What a payment becomes when the provider is asked: one transaction for everything that follows.

State, books, subscription, event and receipt are written together or not at all. What the provider
says may come twice, late and in any order: each step is done once, and a paid payment is never undone
but by a refund.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db.models import Max

from billing.domain.accounts import AccountCode
from billing.domain.money import plain, settled_amount
from billing.domain.payments import OPEN, PAID, PaymentState, may_advance
from billing.events import PAYMENT_SETTLED
from billing.models import Payment
from billing.providers.protocol import ProviderState, ProviderStatus
from billing.services import (
    dispute_bookings,
    ledger,
    payment_notices,
    purchases,
    refund_bookings,
    transitions,
)
from billing.services.entitlements import lock_billing_of
from billing.services.ledger import Line
from foundation.audit import Actor
from foundation.events import publish
from foundation.transactions import part_of_transaction

logger = logging.getLogger(__name__)

_STATES: Final = {
    ProviderStatus.PAID: PaymentState.SETTLED,
    ProviderStatus.FAILED: PaymentState.FAILED,
    ProviderStatus.EXPIRED: PaymentState.EXPIRED,
    ProviderStatus.PENDING: PaymentState.PENDING,
}


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of the news: ``mismatch`` names what differs, and then nothing was done."""

    has_changed: bool
    mismatch: str = ""


@part_of_transaction
def lock_payment(payment_id: int) -> Payment:
    """Return a payment, locked behind its owner's billing row: the order of all locks of billing."""
    owner_id = Payment.objects.values_list("owner_id", flat=True).get(pk=payment_id)
    lock_billing_of(owner_id)
    rows = Payment.objects.select_for_update(of=("self",)).select_related("product", "grant")
    return rows.get(pk=payment_id)


@part_of_transaction
def apply_state(payment: Payment, *, state: ProviderState, by: Actor, now: datetime) -> Applied:
    """Bring a locked payment to what is true at the provider; the same again changes nothing."""
    mismatch = _mismatch(payment, state)
    if mismatch:
        logger.error("payment.mismatch", extra={"payment_id": payment.pk, "reason": mismatch})
        return Applied(has_changed=False, mismatch=mismatch)
    before = (payment.state, payment.fee, payment.refunded_amount)
    if not payment.provider_reference:
        payment.provider_reference = state.reference
        payment.save(update_fields=["provider_reference"])
    to = _STATES[state.status]
    if to == PaymentState.SETTLED and payment.state not in PAID:
        _settle(payment, state, by=by, now=now)
    elif to != PaymentState.SETTLED and may_advance(PaymentState(payment.state), to):
        transitions.change_state(payment, to=to, reason=state.failure[:100], by=by, now=now)
        if to == PaymentState.FAILED:
            payment_notices.tell_failed(payment)
    if payment.state in PAID:
        _book_late_fee(payment, state, now=now)
        refund_bookings.book_known(payment, known=state.refunds, by=by, now=now)
        dispute_bookings.book_known(payment, known=state.disputes, by=by, now=now)
    return Applied(has_changed=before != (payment.state, payment.fee, payment.refunded_amount))


def _mismatch(payment: Payment, state: ProviderState) -> str:
    """Return the name of what the provider's object has different from ours, or nothing."""
    if state.is_live != payment.is_live:
        return "mode_mismatch"
    if payment.provider_reference and state.reference != payment.provider_reference:
        return "reference_mismatch"
    if state.metadata.get("payment") != str(payment.public_id):
        return "order_mismatch"
    if state.customer != str(payment.owner.public_id):
        return "customer_mismatch"
    if state.currency != payment.currency:
        return "currency_mismatch"
    if state.amount != payment.amount:
        return "amount_mismatch"
    return ""


def _settle(payment: Payment, state: ProviderState, *, by: Actor, now: datetime) -> None:
    """Take the money: number the payment, book it, extend the subscription, tell everybody."""
    fee = settled_amount(state.fee, payment.currency)
    last = Payment.objects.filter(owner_id=payment.owner_id).aggregate(last=Max("sequence"))["last"]
    payment.sequence = (last or 0) + 1
    payment.settled_at = now
    payment.fee = fee
    payment.deferred_amount = payment.amount
    payment.grant = purchases.add_time(payment, by=by, now=now)
    payment.recognized_until = (payment.grant.from_at if payment.grant else now).date()
    transitions.change_state(payment, to=PaymentState.SETTLED, by=by, now=now)
    _post(
        payment,
        "settled",
        Line(AccountCode.PROCESSOR_CLEARING, payment.amount - fee),
        Line(AccountCode.FEES, fee),
        Line(AccountCode.DEFERRED_REVENUE, -payment.amount),
        now=now,
    )
    publish(
        PAYMENT_SETTLED,
        occurred_at=now,
        owner_id=payment.owner_id,
        payment_id=payment.pk,
        currency=payment.currency,
        amount=plain(payment.amount),
        fee=plain(fee),
        net=plain(payment.amount - fee),
        sequence=payment.sequence,
    )
    payment_notices.tell_settled(payment)


def _book_late_fee(payment: Payment, state: ProviderState, *, now: datetime) -> None:
    """Book a fee that the provider knew only after the payment; it is never booked twice."""
    fee = settled_amount(state.fee, payment.currency)
    more = fee - payment.fee
    if more <= 0:
        return
    _post(
        payment,
        f"fee {plain(fee)}",
        Line(AccountCode.FEES, more),
        Line(AccountCode.PROCESSOR_CLEARING, -more),
        now=now,
    )
    payment.fee = fee
    payment.save(update_fields=["fee"])


def _post(payment: Payment, kind: str, *lines: Line, now: datetime) -> None:
    ledger.post(
        source="payments",
        source_id=str(payment.pk),
        kind=kind,
        currency=payment.currency,
        lines=[line for line in lines if line.amount != Decimal(0)],
        occurred_at=now,
    )


@part_of_transaction
def give_up(payment: Payment, *, reason: str, by: Actor, now: datetime) -> None:
    """Note that a locked payment that is still open will not be paid."""
    if payment.state in OPEN:
        transitions.change_state(
            payment, to=PaymentState.FAILED, reason=reason[:100], by=by, now=now
        )
        payment_notices.tell_failed(payment)
