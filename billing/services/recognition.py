"""Booking what was delivered: each night a day's share of every payment becomes revenue."""

from datetime import UTC, date, datetime

from billing.domain.accounts import AccountCode
from billing.domain.recognition import delivered
from billing.models import Payment
from billing.services import ledger, payments
from billing.services.ledger import Line
from foundation.transactions import transactional

_AT_ONCE = 500


def recognize_due(*, now: datetime) -> int:
    """Book the days before today of all payments, at most some hundred; return how many were booked.

    Days that were missed are booked in one entry. A payment that added no time (its subscription had no
    end) is delivered by nothing, and stays deferred until an operator gives it back.
    """
    today = now.astimezone(UTC).date()
    due = Payment.objects.filter(
        deferred_amount__gt=0, recognized_until__lt=today, grant__isnull=False
    )
    payment_ids = list(
        due.order_by("recognized_until", "pk").values_list("pk", flat=True)[:_AT_ONCE]
    )
    for payment_id in payment_ids:
        _recognize(payment_id=payment_id, today=today, now=now)
    return len(payment_ids)


@transactional
def _recognize(*, payment_id: int, today: date, now: datetime) -> None:
    payment = payments.lock_payment(payment_id)
    grant, since = payment.grant, payment.recognized_until
    if grant is None or grant.to_at is None or since is None or since >= today:
        return
    end = grant.to_at.astimezone(UTC).date()
    amount = delivered(payment.deferred_amount, payment.currency, since=since, until=today, end=end)
    payment.recognized_until = today
    payment.deferred_amount -= amount
    payment.save(update_fields=["recognized_until", "deferred_amount"])
    if amount:
        ledger.post(
            source="recognition",
            source_id=str(payment.pk),
            kind=f"until {today.isoformat()}",
            currency=payment.currency,
            lines=[
                Line(AccountCode.DEFERRED_REVENUE, amount),
                Line(AccountCode.REVENUE, -amount),
            ],
            occurred_at=now,
        )
