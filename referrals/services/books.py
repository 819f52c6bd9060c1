"""What commissions and payouts do in the books; each cause is written once.

A debit is above zero. ``commission_expense`` against ``commission_pending`` when it is earned,
``commission_pending`` against ``commission_payable`` when no refund is to come, back again by a refund,
``commission_payable`` against ``payout_clearing`` when a payout is asked for, and that against ``cash``.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from billing.domain.accounts import AccountCode
from billing.services import ledger
from billing.services.ledger import Line
from foundation.transactions import part_of_transaction
from referrals.models import Clawback, Commission, CommissionStatus, Payout

SOURCE: Final = "referrals"


@part_of_transaction
def book_earned(commission: Commission) -> None:
    """What a commission costs is owed to the referrer, but not yet payable."""
    _move(
        commission.amount,
        commission.currency,
        debit=(AccountCode.COMMISSION_EXPENSE, None),
        credit=(AccountCode.COMMISSION_PENDING, commission.owner_id),
        cause=(f"commission-{commission.pk}", "commission_earned"),
        at=commission.earned_at,
    )


@part_of_transaction
def book_payable(commission: Commission, *, now: datetime) -> None:
    """What refunds have left of a pending commission becomes payable."""
    _move(
        commission.amount - commission.taken_back,
        commission.currency,
        debit=(AccountCode.COMMISSION_PENDING, commission.owner_id),
        credit=(AccountCode.COMMISSION_PAYABLE, commission.owner_id),
        cause=(f"commission-{commission.pk}", "commission_payable"),
        at=now,
    )


@part_of_transaction
def book_taken_back(clawback: Clawback, *, commission: Commission) -> None:
    """A refund takes back what it reverses; what is payable may fall below zero by it."""
    is_pending = commission.status == CommissionStatus.PENDING
    _move(
        clawback.amount,
        commission.currency,
        debit=(
            AccountCode.COMMISSION_PENDING if is_pending else AccountCode.COMMISSION_PAYABLE,
            commission.owner_id,
        ),
        credit=(AccountCode.COMMISSION_EXPENSE, None),
        cause=(f"refund-{clawback.refund_id}", "commission_reversed"),
        at=clawback.occurred_at,
    )


@part_of_transaction
def book_requested(payout: Payout) -> None:
    """What is asked for is payable no more."""
    _move(
        payout.amount,
        payout.currency,
        debit=(AccountCode.COMMISSION_PAYABLE, payout.owner_id),
        credit=(AccountCode.PAYOUT_CLEARING, None),
        cause=(f"payout-{payout.pk}", "payout_requested"),
        at=payout.requested_at,
    )


@part_of_transaction
def book_sent(payout: Payout, *, now: datetime) -> None:
    """The money has left."""
    _move(
        payout.amount,
        payout.currency,
        debit=(AccountCode.PAYOUT_CLEARING, None),
        credit=(AccountCode.CASH, None),
        cause=(f"payout-{payout.pk}", "payout_sent"),
        at=now,
    )


@part_of_transaction
def book_rejected(payout: Payout, *, now: datetime) -> None:
    """What was asked for is payable again."""
    _move(
        payout.amount,
        payout.currency,
        debit=(AccountCode.PAYOUT_CLEARING, None),
        credit=(AccountCode.COMMISSION_PAYABLE, payout.owner_id),
        cause=(f"payout-{payout.pk}", "payout_rejected"),
        at=now,
    )


def _move(
    amount: Decimal,
    currency: str,
    *,
    debit: tuple[AccountCode, int | None],
    credit: tuple[AccountCode, int | None],
    cause: tuple[str, str],
    at: datetime,
) -> None:
    source_id, kind = cause
    ledger.post(
        source=SOURCE,
        source_id=source_id,
        kind=kind,
        currency=currency,
        lines=[Line(debit[0], amount, debit[1]), Line(credit[0], -amount, credit[1])],
        occurred_at=at,
    )
