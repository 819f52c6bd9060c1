"""Asking the provider without having been told: for orders that wait, and for notices that were lost."""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from billing.domain.payments import PAID, PaymentState
from billing.models import Payment
from billing.providers.protocol import ProviderError, ProviderState
from billing.providers.registry import get_provider
from billing.services import payments
from foundation.audit import Actor
from foundation.queue import enqueue
from foundation.transactions import refuse_inside_transaction, transactional

logger = logging.getLogger(__name__)

_WORKER: Final = Actor.system("payment-check")
_SWEPT_AT_ONCE: Final = 100
#: Refunds and disputes that were made elsewhere are looked for as long, once a day: a bank allows a payer four months.
_LOOKED_AFTER: Final = timedelta(days=125)
_DAILY: Final = timedelta(days=1)
#: However long an order waits, it is asked about at least every hour.
_RAREST_S: Final = 3_600


def check_payment(*, payment_id: int, now: datetime) -> None:
    """Ask the provider how a payment stands, and apply that; a repeat before it is due does nothing."""
    refuse_inside_transaction("A call of the payment provider")
    payment = _claim(payment_id, now=now)
    if payment is None:
        return
    try:
        state = get_provider(payment.provider).fetch(payment.provider_reference)
    except ProviderError as error:
        logger.warning(
            "payment.not_fetched", extra={"payment_id": payment.pk, "reason": error.code}
        )
        return
    _apply(payment.pk, state, now=now)


def sweep(*, now: datetime) -> int:
    """Send the messages of payments that are due to be asked about; return how many those are."""
    due = _due(now).order_by("not_before", "pk")
    payment_ids = list(due.values_list("pk", flat=True)[:_SWEPT_AT_ONCE])
    for payment_id in payment_ids:
        enqueue("billing.check_payment", payment_id=payment_id)
    return len(payment_ids)


def _due(now: datetime) -> QuerySet[Payment]:
    """Return the payments to ask about: those that wait, and paid ones for a while."""
    is_paid = Q(state__in=sorted(PAID - {PaymentState.REFUNDED}))
    paid = is_paid & Q(settled_at__gt=now - _LOOKED_AFTER)
    return Payment.objects.filter(Q(state=PaymentState.PENDING) | paid, not_before__lte=Now())


def _claim(payment_id: int, *, now: datetime) -> Payment | None:
    """Take the next question about a payment, and put the one after it off: longer each time."""
    payment = _due(now).filter(pk=payment_id).first()
    if payment is None:
        return None
    if payment.state == PaymentState.PENDING:
        wait_s = settings.HORIZONS.payment_check_s * 2 ** min(payment.attempts, 10)
        wait = timedelta(seconds=min(wait_s, _RAREST_S))
    else:
        wait = _DAILY
    claimed = Payment.objects.filter(
        pk=payment_id, attempts=payment.attempts, not_before=payment.not_before
    ).update(attempts=F("attempts") + 1, not_before=Now() + wait)
    return payment if claimed else None


@transactional
def _apply(payment_id: int, state: ProviderState, *, now: datetime) -> None:
    payment = payments.lock_payment(payment_id)
    payments.apply_state(payment, state=state, by=_WORKER, now=now)
