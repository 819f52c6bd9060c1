"""What a person brought and earned, in sums; amounts of different currencies are never added."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import TruncMonth

from billing.domain.accounts import AccountCode
from billing.selectors import ledger
from referrals.domain.payouts import PayoutStatus
from referrals.models import Attribution, Commission, Payout
from referrals.selectors.codes import Owner

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Reach:
    """How many people somebody brought, and how many of them have paid."""

    sign_ups: int
    conversions: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Where a person's commissions in one currency are.

    ``payable`` falls below zero if a refund takes back what was paid out; the next commissions fill it.
    """

    currency: str
    pending: Decimal
    payable: Decimal
    requested: Decimal
    paid: Decimal

    @property
    def earned(self) -> Decimal:
        """All that was earned and not taken back."""
        return self.pending + self.payable + self.requested + self.paid


@dataclass(slots=True)
class Month:
    """What happened in one month; amounts by currency, commissions less what refunds took back."""

    begins_on: date
    sign_ups: int = 0
    conversions: int = 0
    earned: dict[str, Decimal] = field(default_factory=dict)
    paid: dict[str, Decimal] = field(default_factory=dict)


def reach_of(owner: Owner) -> Reach:
    """Return how many people *owner* brought."""
    counts = Attribution.objects.filter(owner_id=owner.pk).aggregate(
        sign_ups=Count("pk"), conversions=Count("first_paid_at")
    )
    return Reach(counts["sign_ups"], counts["conversions"])


def balances_of(owner: Owner) -> Sequence[Balance]:
    """Return the balances of *owner*, as the books have them, by currency."""
    mine = Commission.objects.filter(owner_id=owner.pk)
    currencies = sorted(set(mine.order_by().values_list("currency", flat=True).distinct()))
    payouts = _payout_sums(owner)
    return [
        Balance(
            currency=currency,
            pending=_booked(owner, AccountCode.COMMISSION_PENDING, currency),
            payable=_booked(owner, AccountCode.COMMISSION_PAYABLE, currency),
            requested=payouts.get((currency, PayoutStatus.REQUESTED), _ZERO),
            paid=payouts.get((currency, PayoutStatus.SENT), _ZERO),
        )
        for currency in currencies
    ]


def months_of(owner: Owner, *, since: datetime) -> Sequence[Month]:
    """Return the months from *since* on in which something happened, the latest first.

    Months begin in the time zone that is current.
    """
    months: dict[date, Month] = {}

    def month(begins_at: datetime) -> Month:
        return months.setdefault(begins_at.date(), Month(begins_at.date()))

    brought = Attribution.objects.filter(owner_id=owner.pk)
    for begins_at, count in _counted(brought, "signed_up_at", since=since):
        month(begins_at).sign_ups = count
    for begins_at, count in _counted(brought, "first_paid_at", since=since):
        month(begins_at).conversions = count
    earned = Commission.objects.filter(owner_id=owner.pk, earned_at__gte=since)
    left = Sum(F("amount") - F("taken_back"))
    for begins_at, currency, total in _summed(earned, "earned_at", left):
        month(begins_at).earned[currency] = total
    paid = Payout.objects.filter(owner_id=owner.pk, status=PayoutStatus.SENT, closed_at__gte=since)
    for begins_at, currency, total in _summed(paid, "closed_at", Sum("amount")):
        month(begins_at).paid[currency] = total
    return sorted(months.values(), key=lambda each: each.begins_on, reverse=True)


def _counted(
    rows: QuerySet[Attribution], column: str, *, since: datetime
) -> Sequence[tuple[datetime, int]]:
    found = (
        rows.filter(**{f"{column}__gte": since})
        .annotate(month=TruncMonth(column))
        .values("month")
        .annotate(count=Count("pk"))
        .order_by()
    )
    return [(row["month"], row["count"]) for row in found]


def _summed(
    rows: QuerySet[Any], column: str, total: Sum
) -> Sequence[tuple[datetime, str, Decimal]]:
    found = (
        rows.annotate(month=TruncMonth(column))
        .values("month", "currency")
        .annotate(total=total)
        .order_by()
    )
    return [(row["month"], row["currency"], row["total"]) for row in found]


def _payout_sums(owner: Owner) -> Mapping[tuple[str, str], Decimal]:
    rows = Payout.objects.filter(owner_id=owner.pk).values_list("currency", "status")
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for currency, status, total in rows.annotate(total=Sum("amount")).order_by():
        sums[currency, status] = total
    return sums


def _booked(owner: Owner, account: AccountCode, currency: str) -> Decimal:
    return ledger.balance(account=account, currency=currency, owner_id=owner.pk)
