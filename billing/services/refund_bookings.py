"""What follows when money was given back: the books, the subscription, the event, the mail."""

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from billing.domain.accounts import AccountCode
from billing.domain.money import plain, settled_amount
from billing.domain.payments import PaymentState, RefundState
from billing.events import PAYMENT_REFUNDED
from billing.models import Payment, Refund
from billing.providers.protocol import ProviderRefund
from billing.services import ledger, payment_notices, purchases, transitions
from billing.services.ledger import Line
from foundation.audit import Actor
from foundation.events import publish
from foundation.transactions import part_of_transaction

logger = logging.getLogger(__name__)


@part_of_transaction
def book_known(
    payment: Payment, *, known: Sequence[ProviderRefund], by: Actor, now: datetime
) -> None:
    """Book every refund that the provider knows of and the books do not; each once.

    One that nobody asked for here (an operator used the provider's own pages) gets a row of its own.
    The payment is locked and paid.
    """
    for at_provider in known:
        refund = _find(payment, at_provider)
        if refund is None:
            refund = Refund(
                owner_id=payment.owner_id,
                payment=payment,
                amount=settled_amount(at_provider.amount, payment.currency),
                currency=payment.currency,
                note="Made at the provider.",
                actor_kind=by.kind,
                actor_identifier=by.identifier,
                requested_at=now,
            )
        if refund.state != RefundState.SUCCEEDED:
            book(refund, payment=payment, reference=at_provider.reference, by=by, now=now)


@part_of_transaction
def book(
    refund: Refund,
    *,
    payment: Payment,
    reference: str,
    out_of: AccountCode = AccountCode.PROCESSOR_CLEARING,
    by: Actor,
    now: datetime,
) -> bool:
    """Book a refund that has succeeded, *out_of* where the money was; the payment is locked.

    What was not yet delivered is given back first, the rest out of revenue. The provider keeps its
    fee. A payment given back in whole takes the time that it bought with it. False, and nothing is done,
    if more came back than was paid.
    """
    if payment.refunded_amount + refund.amount > payment.amount:
        # More came back than was paid: nothing that a rule could settle, a person has to look.
        logger.error("refund.exceeds_payment", extra={"payment_id": payment.pk})
        return False
    refund.state, refund.state_reason, refund.settled_at = RefundState.SUCCEEDED, "", now
    refund.provider_reference = reference
    refund.save()
    from_deferred = min(refund.amount, payment.deferred_amount)
    payment.refunded_amount += refund.amount
    payment.deferred_amount -= from_deferred
    is_whole = payment.refunded_amount == payment.amount
    _post(refund, from_deferred=from_deferred, out_of=out_of, now=now)
    if is_whole:
        transitions.change_state(payment, to=PaymentState.REFUNDED, by=by, now=now)
        purchases.take_time_back(payment, by=by, now=now)
    elif payment.state == PaymentState.SETTLED:
        transitions.change_state(payment, to=PaymentState.PARTLY_REFUNDED, by=by, now=now)
    else:
        payment.save()
    publish(
        PAYMENT_REFUNDED,
        occurred_at=now,
        owner_id=payment.owner_id,
        payment_id=payment.pk,
        refund_id=refund.pk,
        currency=payment.currency,
        amount=plain(refund.amount),
        total_refunded=plain(payment.refunded_amount),
        paid=plain(payment.amount),
    )
    if out_of == AccountCode.DISPUTE_RESERVE:
        payment_notices.tell_taken_back(refund, payment=payment)
    else:
        payment_notices.tell_refunded(refund, payment=payment)
    return True


def _find(payment: Payment, at_provider: ProviderRefund) -> Refund | None:
    """Return our row of a refund at the provider: by its reference, or by the id that we sent along."""
    refunds = {str(refund.public_id): refund for refund in payment.refunds.all()}
    for refund in refunds.values():
        if refund.provider_reference == at_provider.reference:
            return refund
    return refunds.get(at_provider.metadata.get("refund", ""))


def _post(refund: Refund, *, from_deferred: Decimal, out_of: AccountCode, now: datetime) -> None:
    lines = (
        Line(AccountCode.DEFERRED_REVENUE, from_deferred),
        Line(AccountCode.REVENUE, refund.amount - from_deferred),
        Line(out_of, -refund.amount),
    )
    ledger.post(
        source="refunds",
        source_id=str(refund.pk),
        kind="refunded",
        currency=refund.currency,
        lines=[line for line in lines if line.amount],
        occurred_at=now,
    )
