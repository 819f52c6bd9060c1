"""What the books say: balances, the trial balance, and everything that is wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, F, Q, QuerySet, Sum

from billing.domain.accounts import KINDS, PERSONAL, AccountCode, natural_sign
from billing.domain.payments import DisputeState
from billing.models import (
    Dispute,
    LedgerAccount,
    LedgerCheck,
    LedgerEntry,
    LedgerPosting,
    Payment,
)


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One account of the chart in one currency, over all people, as debit or credit."""

    code: AccountCode
    kind: str
    currency: str
    debit: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """All accounts; ``differences`` are debits minus credits per currency, zero if the books balance."""

    lines: Sequence[TrialLine]
    differences: Mapping[str, Decimal]

    @property
    def is_balanced(self) -> bool:
        """Whether every currency sums to zero."""
        return not any(self.differences.values())


def balance(*, account: AccountCode | str, currency: str, owner_id: int | None = None) -> Decimal:
    """Return the balance of an account with its natural sign.

    Assets and expenses are positive by debits; liabilities, income and equity by credits: what we owe
    a referrer is a positive balance of their ``commission_payable``. For a personal account
    ``owner_id`` None sums over all people.
    """
    code = AccountCode(account)
    postings = LedgerPosting.objects.filter(account__code=code, currency=currency)
    if owner_id is not None:
        postings = postings.filter(account__owner_id=owner_id)
    total = postings.aggregate(total=Sum("amount"))["total"] or Decimal(0)
    return total * natural_sign(KINDS[code]) + 0


def trial_balance() -> TrialBalance:
    """Return the trial balance of every currency, by one query."""
    rows = (
        LedgerPosting.objects.values("currency", "account__code")
        .annotate(total=Sum("amount"))
        .order_by("currency", "account__code")
    )
    order = {code: number for number, code in enumerate(AccountCode)}
    lines: list[TrialLine] = []
    differences: dict[str, Decimal] = {}
    for row in rows:
        code, total = AccountCode(row["account__code"]), row["total"]
        differences[row["currency"]] = differences.get(row["currency"], Decimal(0)) + total
        debit, credit = max(total, Decimal(0)), max(-total, Decimal(0))
        lines.append(TrialLine(code, KINDS[code].value, row["currency"], debit, credit))
    lines.sort(key=lambda line: (line.currency, order[line.code]))
    return TrialBalance(lines, differences)


def violations() -> list[str]:
    """Return everything that is wrong with the books, each as a sentence; empty if they are in order.

    The database refuses most of it when it is written; this finds what was changed behind its back.
    """
    found = [
        f"{currency}: debits and credits differ by {difference.normalize():f}."
        for currency, difference in trial_balance().differences.items()
        if difference
    ]
    return [*found, *_bad_entries(), *_bad_accounts(), *_bad_payments()]


def _bad_entries() -> list[str]:
    """Return entries that are incomplete or unbalanced in a currency."""
    incomplete = LedgerEntry.objects.annotate(found=Count("postings")).exclude(found=F("lines"))
    found = [
        f"Entry {entry.pk} ({entry}) has {entry.found} postings instead of {entry.lines}."
        for entry in incomplete.order_by("pk")
    ]
    unbalanced = (
        LedgerPosting.objects.values("entry_id", "currency")
        .annotate(total=Sum("amount"))
        .exclude(total=0)
        .order_by("entry_id", "currency")
    )
    return found + [
        f"Entry {row['entry_id']} is unbalanced by {row['total'].normalize():f} {row['currency']}."
        for row in unbalanced
    ]


def _bad_accounts() -> list[str]:
    """Return accounts that are not of the chart, and postings in another currency than their account."""
    found = []
    for account in LedgerAccount.objects.order_by("pk"):
        known = account.code in AccountCode.__members__.values()
        if not known or KINDS[AccountCode(account.code)] != account.kind:
            found.append(f"Account {account.pk} ({account}) is not of the chart of accounts.")
        elif (account.owner_id is not None) != (AccountCode(account.code) in PERSONAL):
            found.append(f"Account {account.pk} ({account}) has an owner and should not, or none.")
    foreign = LedgerPosting.objects.exclude(currency=F("account__currency")).order_by("pk")
    return found + [
        f"Posting {posting.pk} is in {posting.currency}, its account is not." for posting in foreign
    ]


def _bad_payments() -> list[str]:
    """Return where the payments and the books disagree."""
    paid = Payment.objects.filter(settled_at__isnull=False)
    found = []
    for row in (
        paid.values("currency")
        .annotate(
            received=Sum("amount") - Sum("fee") - Sum("refunded_amount"),
            fees=Sum("fee"),
            deferred=Sum("deferred_amount"),
        )
        .order_by("currency")
    ):
        currency = row["currency"]
        disputes = _disputes_in(currency)
        row["received"] -= disputes.held + disputes.fees
        for code, said in (
            (AccountCode.FEES, row["fees"] + disputes.fees),
            (AccountCode.DEFERRED_REVENUE, row["deferred"]),
            (AccountCode.DISPUTE_RESERVE, disputes.held),
        ):
            booked = balance(account=code, currency=currency)
            if booked != said:
                found.append(
                    f"{code} holds {booked.normalize():f} {currency}, "
                    f"the payments say {said.normalize():f}."
                )
        moved = _processor_total(currency)
        if moved != row["received"]:
            found.append(
                f"Payments and refunds moved {moved.normalize():f} {currency} at the processor, "
                f"the payments say {row['received'].normalize():f}."
            )
    return found + [
        f"Payment {payment.pk} is settled and has no entry." for payment in _unbooked(paid)
    ]


def _processor_total(currency: str) -> Decimal:
    """Return what payments, refunds and disputes moved at the processor; its payouts to the bank are not theirs."""
    moved = LedgerPosting.objects.filter(
        account__code=AccountCode.PROCESSOR_CLEARING,
        currency=currency,
        entry__source__in=["payments", "refunds", "disputes"],
    )
    return moved.aggregate(total=Sum("amount"))["total"] or Decimal(0)


@dataclass(frozen=True, slots=True)
class _Disputes:
    held: Decimal
    fees: Decimal


def _disputes_in(currency: str) -> _Disputes:
    """Return what open disputes hold, and what all of them cost."""
    sums = Dispute.objects.filter(currency=currency).aggregate(
        held=Sum("amount", filter=Q(state=DisputeState.OPEN)), fees=Sum("fee")
    )
    return _Disputes(sums["held"] or Decimal(0), sums["fees"] or Decimal(0))


def _unbooked(paid: QuerySet[Payment]) -> list[Payment]:
    booked = LedgerEntry.objects.filter(source="payments", kind="settled").values_list(
        "source_id", flat=True
    )
    known = set(booked)
    return [payment for payment in paid.order_by("pk") if str(payment.pk) not in known]


def last_check() -> LedgerCheck | None:
    """Return the latest comparison of the books, or None before the first."""
    return LedgerCheck.objects.order_by("-checked_at").first()
