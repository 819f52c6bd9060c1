"""What a person is told about their payments, on our pages and by mail."""

from datetime import UTC
from decimal import Decimal

from django.urls import reverse

from accounts.models import MailKind, NotificationKind, NotificationLevel
from accounts.services.notifications import notify
from billing.domain.money import settled_amount
from billing.models import Payment, Refund
from foundation.transactions import part_of_transaction


@part_of_transaction
def tell_settled(payment: Payment) -> None:
    """Send the receipt; once for each payment."""
    until = payment.grant.to_at if payment.grant else None
    facts = {
        "receipt": payment.receipt_number,
        "for": payment.product.name,
        "paid": _amount(payment.amount, payment.currency),
    }
    if until is not None:
        facts["runs_until"] = until.astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")
    notify(
        owner_id=payment.owner_id,
        kind=NotificationKind.PAYMENT_RECEIVED,
        key=f"payment-settled:{payment.pk}",
        title=f"Receipt for “{payment.product.name}”",
        body=f"Thank you. We have received {_amount(payment.amount, payment.currency)}.",
        path=reverse("billing:receipt", args=[payment.public_id]),
        mail=MailKind.RECEIPT,
        facts=facts,
    )


@part_of_transaction
def tell_failed(payment: Payment) -> None:
    """Say that nothing was paid; once for each payment."""
    notify(
        owner_id=payment.owner_id,
        kind=NotificationKind.PAYMENT_FAILED,
        key=f"payment-failed:{payment.pk}",
        title=f"Your payment for “{payment.product.name}” failed",
        body=f"{_amount(payment.amount, payment.currency)} could not be collected.",
        path=reverse("billing:payment", args=[payment.public_id]),
        level=NotificationLevel.WARNING,
        mail=MailKind.PAYMENT_FAILED,
    )


@part_of_transaction
def tell_refunded(refund: Refund, *, payment: Payment) -> None:
    """Say what was given back; once for each refund."""
    notify(
        owner_id=refund.owner_id,
        kind=NotificationKind.REFUND_SENT,
        key=f"refund-sent:{refund.pk}",
        title=f"Refund for “{payment.product.name}”",
        body=f"We have given back {_amount(refund.amount, refund.currency)}.",
        path=reverse("billing:receipt", args=[payment.public_id]),
        mail=MailKind.REFUND_SENT,
        facts={"receipt": payment.receipt_number},
    )


@part_of_transaction
def tell_taken_back(refund: Refund, *, payment: Payment) -> None:
    """Say that the person's bank has taken a payment back; once for each dispute."""
    notify(
        owner_id=refund.owner_id,
        kind=NotificationKind.REFUND_SENT,
        key=f"refund-sent:{refund.pk}",
        title=f"Your bank has taken back the payment for “{payment.product.name}”",
        body=f"{_amount(refund.amount, refund.currency)} went back to you after a dispute.",
        path=reverse("billing:receipt", args=[payment.public_id]),
        level=NotificationLevel.WARNING,
    )


def _amount(amount: Decimal, currency: str) -> str:
    return f"{settled_amount(amount, currency):,f} {currency}"
