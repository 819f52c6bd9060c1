"""The one place where a payment changes its state: every step is allowed, kept and audited."""

import logging
from datetime import datetime

from billing.domain.payments import PaymentState, advance
from billing.models import Payment, PaymentTransition
from foundation import audit
from foundation.audit import Actor
from foundation.transactions import part_of_transaction

logger = logging.getLogger(__name__)


@part_of_transaction
def change_state(
    payment: Payment, *, to: PaymentState, reason: str = "", by: Actor, now: datetime
) -> None:
    """Move a locked payment to a state and keep the transition; raise IllegalTransitionError."""
    before = PaymentState(payment.state)
    payment.state = advance(before, to)
    payment.state_reason = reason
    if to in {PaymentState.FAILED, PaymentState.EXPIRED, PaymentState.REFUNDED}:
        payment.ended_at = now
    elif to == PaymentState.SETTLED:
        payment.ended_at = None
    payment.save()
    keep_transition(payment, before=before, reason=reason, by=by, now=now)


@part_of_transaction
def keep_transition(
    payment: Payment, *, before: PaymentState | str, reason: str, by: Actor, now: datetime
) -> None:
    """Write down how a payment came to its present state."""
    PaymentTransition.objects.create(
        payment=payment,
        from_state=before,
        to_state=payment.state,
        actor_kind=by.kind,
        actor_identifier=by.identifier,
        evidence={"reference": payment.provider_reference, "reason": reason},
        at=now,
    )
    audit.record(
        actor=by,
        verb=f"payment.{payment.state.lower()}",
        target=payment,
        owner_id=payment.owner_id,
        detail={"from": str(before), "reason": reason},
    )
    logger.info("payment.changed", extra={"payment_id": payment.pk, "state": payment.state})
