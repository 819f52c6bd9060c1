"""What follows from disputes: the reserve while one is open, and a refund by the bank where it is lost.

The books follow the provider: what the bank takes leaves the provider's account into a reserve. A dispute
that is won brings it back; one that is lost is a refund out of the reserve, with everything that a refund
does to the subscription and to the commission.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from billing.domain.accounts import AccountCode
from billing.domain.money import plain, settled_amount
from billing.domain.payments import DisputeState
from billing.models import Dispute, Payment, Refund
from billing.providers.protocol import ProviderDispute
from billing.services import ledger, refund_bookings
from billing.services.ledger import Line
from foundation import audit
from foundation.audit import Actor
from foundation.transactions import part_of_transaction

logger = logging.getLogger(__name__)


@part_of_transaction
def held_of(payment: Payment) -> Decimal:
    """Return what open disputes hold of a locked payment; it cannot be given back meanwhile."""
    open_ones = Dispute.objects.filter(payment=payment, state=DisputeState.OPEN)
    held = open_ones.aggregate(total=Sum("amount"))
    return held["total"] or Decimal(0)


@part_of_transaction
def book_known(
    payment: Payment, *, known: Sequence[ProviderDispute], by: Actor, now: datetime
) -> None:
    """Book every dispute that the provider knows of as it stands; the same again changes nothing.

    The payment is locked and paid.
    """
    for at_provider in known:
        dispute = Dispute.objects.filter(
            payment=payment, provider_reference=at_provider.reference
        ).first()
        if dispute is None:
            dispute = _open(payment, at_provider, by=by, now=now)
        _book_fee(dispute, at_provider, now=now)
        if dispute.state == DisputeState.OPEN and at_provider.state != DisputeState.OPEN:
            _close(dispute, payment, to=at_provider.state, by=by, now=now)


def _open(payment: Payment, at_provider: ProviderDispute, *, by: Actor, now: datetime) -> Dispute:
    dispute = Dispute.objects.create(
        owner_id=payment.owner_id,
        payment=payment,
        amount=settled_amount(at_provider.amount, payment.currency),
        currency=payment.currency,
        provider_reference=at_provider.reference,
        opened_at=now,
    )
    _post(dispute, "opened", AccountCode.DISPUTE_RESERVE, AccountCode.PROCESSOR_CLEARING, now=now)
    _record(dispute, "dispute.opened", by=by)
    # Only a person can answer it, on the provider's pages and within days.
    logger.error("dispute.opened", extra={"dispute_id": dispute.pk, "payment_id": payment.pk})
    return dispute


def _close(
    dispute: Dispute, payment: Payment, *, to: DisputeState, by: Actor, now: datetime
) -> None:
    if to == DisputeState.LOST:
        refund = _taken_by_bank(dispute, by=by, now=now)
        is_booked = refund_bookings.book(
            refund,
            payment=payment,
            reference=dispute.provider_reference,
            out_of=AccountCode.DISPUTE_RESERVE,
            by=by,
            now=now,
        )
        if not is_booked:
            # It stays open, and in the reserve, until a person has looked.
            return
        dispute.refund = refund
    else:
        _post(dispute, "won", AccountCode.PROCESSOR_CLEARING, AccountCode.DISPUTE_RESERVE, now=now)
    dispute.state, dispute.closed_at = to, now
    dispute.save(update_fields=["state", "closed_at", "refund"])
    _record(dispute, f"dispute.{to.lower()}", by=by)


def _taken_by_bank(dispute: Dispute, *, by: Actor, now: datetime) -> Refund:
    return Refund(
        owner_id=dispute.owner_id,
        payment_id=dispute.payment_id,
        amount=dispute.amount,
        currency=dispute.currency,
        note="Taken back by the payer's bank.",
        actor_kind=by.kind,
        actor_identifier=by.identifier,
        requested_at=now,
    )


def _book_fee(dispute: Dispute, at_provider: ProviderDispute, *, now: datetime) -> None:
    """Book what the dispute costs, or costs less by now."""
    fee = settled_amount(at_provider.fee, dispute.currency)
    more = fee - dispute.fee
    if not more:
        return
    ledger.post(
        source="disputes",
        source_id=str(dispute.pk),
        kind=f"fee {plain(fee)}",
        currency=dispute.currency,
        lines=[Line(AccountCode.FEES, more), Line(AccountCode.PROCESSOR_CLEARING, -more)],
        occurred_at=now,
    )
    dispute.fee = fee
    dispute.save(update_fields=["fee"])


def _post(
    dispute: Dispute, kind: str, debit: AccountCode, credit: AccountCode, *, now: datetime
) -> None:
    ledger.post(
        source="disputes",
        source_id=str(dispute.pk),
        kind=kind,
        currency=dispute.currency,
        lines=[Line(debit, dispute.amount), Line(credit, -dispute.amount)],
        occurred_at=now,
    )


def _record(dispute: Dispute, verb: str, *, by: Actor) -> None:
    audit.record(
        actor=by,
        verb=verb,
        target=dispute,
        owner_id=dispute.owner_id,
        detail={
            "payment": str(dispute.payment.public_id),
            "amount": f"{plain(dispute.amount)} {dispute.currency}",
        },
    )
