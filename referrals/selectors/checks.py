"""Whether commissions and payouts agree with the books."""

from collections import defaultdict
from decimal import Decimal

from django.db.models import F, Sum

from billing.domain.accounts import AccountCode
from billing.domain.money import plain
from billing.selectors import ledger
from referrals.domain.payouts import PayoutStatus
from referrals.models import Commission, CommissionStatus, Payout

_LEFT = Sum(F("amount") - F("taken_back"))


def violations() -> list[str]:
    """Return where the rows and the books differ, each as a sentence; empty if they agree.

    Sums are over all people, per currency: pending and payable commissions, what they cost, and
    payouts that nobody has decided yet.
    """
    expected: dict[tuple[AccountCode, str], Decimal] = defaultdict(Decimal)
    commissions = Commission.objects.order_by().values_list("currency", "status")
    for currency, status, left in commissions.annotate(left=_LEFT):
        expected[AccountCode.COMMISSION_EXPENSE, currency] += left
        expected[AccountCode.COMMISSION_PENDING, currency] += (
            left if status == CommissionStatus.PENDING else 0
        )
        expected[AccountCode.COMMISSION_PAYABLE, currency] += (
            left if status == CommissionStatus.PAYABLE else 0
        )
    payouts = Payout.objects.order_by().values_list("currency", "status")
    for currency, status, total in payouts.annotate(total=Sum("amount")):
        if status == PayoutStatus.REJECTED:
            continue
        expected[AccountCode.COMMISSION_PAYABLE, currency] -= total
        expected[AccountCode.PAYOUT_CLEARING, currency] += (
            total if status == PayoutStatus.REQUESTED else 0
        )
    found = []
    for (account, currency), amount in sorted(expected.items()):
        booked = ledger.balance(account=account, currency=currency)
        if booked != amount:
            found.append(
                f"{account} holds {plain(booked)} {currency}, "
                f"commissions and payouts say {plain(amount)}."
            )
    return found
