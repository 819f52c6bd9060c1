"""Giving money back: an operator asks, a worker tells the provider, and the books follow its answer.

What is asked for is reserved at once, behind a lock, so that many requests never add up to more than was
paid. The call carries the refund's own key: sent twice, it is one refund.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import F, Sum
from django.db.models.functions import Now

from billing.domain.money import is_settled
from billing.domain.payments import PAID, RefundState
from billing.models import Payment, Refund
from billing.providers.protocol import ProviderError, ProviderRefund, ProviderRejectedError
from billing.providers.registry import get_provider
from billing.services import dispute_bookings, payments, refund_bookings
from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue, enqueue_on_commit
from foundation.transactions import refuse_inside_transaction, transactional
from market.errors import ConflictError, FieldProblem, InvalidInputError

logger = logging.getLogger(__name__)

_WORKER: Final = Actor.system("refunds")
_WAITS_S: Final = (30, 120, 600, 3_600, 21_600)
_SWEPT_AT_ONCE: Final = 100


class NotRefundableError(ConflictError):
    """The payment was not paid, or was given back in whole."""

    code = "not_refundable"

    def __init__(self) -> None:
        super().__init__("Only a paid payment can be given back, and only once.")


class RefundTooLargeError(ConflictError):
    """More than what is left of the payment."""

    code = "refund_too_large"

    def __init__(self, left: Decimal, currency: str) -> None:
        super().__init__(
            f"At most {left.normalize():f} {currency} of this payment can be given back."
        )


class InvalidRefundError(InvalidInputError):
    """An amount that cannot be given back."""

    code = "invalid_amount"

    def __init__(self) -> None:
        text = "Give back an amount above zero, in whole cents."
        super().__init__(text, problems=[FieldProblem("amount", self.code, text)])


@transactional
def request_refund(
    *, payment_id: int, amount: Decimal | None, note: str = "", by: Actor, now: datetime
) -> Refund:
    """Reserve a refund of *amount* (None: all that is left) and have a worker send it.

    Raises NotRefundableError, RefundTooLargeError or InvalidRefundError.
    """
    payment = payments.lock_payment(payment_id)
    if payment.state not in PAID:
        raise NotRefundableError
    reserved = payment.refunds.filter(state=RefundState.REQUESTED).aggregate(total=Sum("amount"))
    left = payment.amount - payment.refunded_amount - (reserved["total"] or Decimal(0))
    # What the bank holds is not ours to give.
    left -= dispute_bookings.held_of(payment)
    if left <= 0:
        raise NotRefundableError
    wanted = left if amount is None else amount
    if not wanted.is_finite() or wanted <= 0 or not is_settled(wanted, payment.currency):
        raise InvalidRefundError
    if wanted > left:
        raise RefundTooLargeError(left, payment.currency)
    refund = Refund.objects.create(
        owner_id=payment.owner_id,
        payment=payment,
        amount=wanted,
        currency=payment.currency,
        note=note.strip()[:300],
        actor_kind=by.kind,
        actor_identifier=by.identifier,
        requested_at=now,
    )
    audit.record(
        actor=by,
        verb="payment.refund_requested",
        target=refund,
        owner_id=payment.owner_id,
        detail={"payment": str(payment.public_id), "amount": f"{wanted.normalize():f}"},
    )
    enqueue_on_commit("billing.send_refund", refund_id=refund.pk)
    return refund


def send_refund(*, refund_id: int, now: datetime) -> None:
    """Tell the provider to give money back; a repeat, also after a crash, is the same refund."""
    refuse_inside_transaction("A call of the payment provider")
    refund = _claim(refund_id)
    if refund is None:
        return
    payment = refund.payment
    try:
        given = get_provider(payment.provider).refund(
            payment.provider_reference,
            amount=refund.amount,
            refund_id=refund.public_id,
            idempotency_key=f"refund-{refund.public_id}",
        )
    except ProviderRejectedError as error:
        _fail(refund, reason=error.code, now=now)
    except ProviderError as error:
        # Nobody knows whether it was done: the next try carries the same key.
        logger.warning("refund.not_sent", extra={"refund_id": refund.pk, "reason": error.code})
    else:
        if given is not None:
            _book(refund, given, now=now)


def sweep_refunds() -> int:
    """Send again the messages of refunds that are not confirmed; return how many those are."""
    overdue = Now() - timedelta(seconds=settings.HORIZONS.redeliver_s)
    due = Refund.objects.filter(state=RefundState.REQUESTED, not_before__lte=overdue)
    refund_ids = list(
        due.order_by("not_before", "pk").values_list("pk", flat=True)[:_SWEPT_AT_ONCE]
    )
    for refund_id in refund_ids:
        enqueue("billing.send_refund", refund_id=refund_id)
    return len(refund_ids)


def _claim(refund_id: int) -> Refund | None:
    attempts = Refund.objects.values_list("attempts", flat=True).filter(pk=refund_id).first() or 0
    wait_s = _WAITS_S[min(attempts, len(_WAITS_S) - 1)]
    claimed = Refund.objects.filter(
        pk=refund_id, state=RefundState.REQUESTED, attempts=attempts, not_before__lte=Now()
    ).update(attempts=F("attempts") + 1, not_before=Now() + timedelta(seconds=wait_s))
    return Refund.objects.select_related("payment").get(pk=refund_id) if claimed else None


@transactional
def _book(refund: Refund, given: ProviderRefund, *, now: datetime) -> None:
    payment = payments.lock_payment(refund.payment_id)
    locked = Refund.objects.select_for_update().get(pk=refund.pk)
    if locked.state == RefundState.REQUESTED:
        refund_bookings.book(
            locked, payment=payment, reference=given.reference, by=_WORKER, now=now
        )


@transactional
def _fail(refund: Refund, *, reason: str, now: datetime) -> None:
    """Release what was reserved: the provider has refused for good."""
    payment: Payment = payments.lock_payment(refund.payment_id)
    locked = Refund.objects.select_for_update().get(pk=refund.pk)
    if locked.state != RefundState.REQUESTED:
        return
    locked.state, locked.state_reason = RefundState.FAILED, reason
    locked.save(update_fields=["state", "state_reason"])
    audit.record(
        actor=_WORKER,
        verb="payment.refund_failed",
        target=locked,
        owner_id=payment.owner_id,
        detail={"payment": str(payment.public_id), "reason": reason, "at": now.isoformat()},
    )
    logger.error("refund.refused", extra={"refund_id": refund.pk, "reason": reason})
