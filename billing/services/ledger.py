"""The only way into the books: balanced entries, each written once for its cause.

The database refuses what is unbalanced, changed or deleted whoever writes it; this module refuses the
same with words, before anything is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from billing.domain.accounts import KINDS, PERSONAL, AccountCode
from billing.models import LedgerAccount, LedgerEntry, LedgerPosting
from foundation.transactions import part_of_transaction

#: The columns keep so many decimals; a finer amount would be rounded, and the entry unbalanced.
_FINEST = Decimal(1).scaleb(-18)


class UnbalancedEntryError(ValueError):
    """The lines of an entry are no entry: a bug of the caller, never of a person."""


@dataclass(frozen=True, slots=True)
class Line:
    """One posting to be: a debit is above zero, a credit below; personal accounts name the person."""

    account: AccountCode | str
    amount: Decimal
    owner_id: int | None = None


@part_of_transaction
def post(
    *,
    source: str,
    source_id: str,
    kind: str,
    currency: str,
    lines: Sequence[Line],
    occurred_at: datetime,
    reverses: LedgerEntry | None = None,
    memo: str = "",
) -> LedgerEntry:
    """Write an entry and return it; the same ``(source, source_id, kind)`` again returns the first.

    Raises UnbalancedEntryError for fewer than two lines, a line of zero, lines that do not sum to
    zero, a personal account without its person, or another account with one.
    """
    _refuse_bad(lines)
    accounts = [_account(line, currency=currency) for line in lines]
    try:
        with transaction.atomic():
            entry = LedgerEntry.objects.create(
                source=source,
                source_id=source_id,
                kind=kind,
                lines=len(lines),
                reverses=reverses,
                memo=memo[:200],
                occurred_at=occurred_at,
            )
    except IntegrityError:
        written = LedgerEntry.objects.filter(source=source, source_id=source_id, kind=kind).first()
        if written is None:
            # Not a repeat: the entry that this one reverses has been reversed already.
            raise
        return written
    LedgerPosting.objects.bulk_create(
        LedgerPosting(entry=entry, account=account, currency=currency, amount=line.amount)
        for account, line in zip(accounts, lines, strict=True)
    )
    return entry


def _refuse_bad(lines: Sequence[Line]) -> None:
    if len(lines) < 2:
        raise UnbalancedEntryError("An entry has at least two lines.")
    if any(line.amount == 0 or line.amount != line.amount.quantize(_FINEST) for line in lines):
        raise UnbalancedEntryError("Each line moves an amount, of at most 18 decimals.")
    total = sum((line.amount for line in lines), Decimal(0))
    if total != 0:
        raise UnbalancedEntryError(f"The lines sum to {total}, not to zero.")
    for line in lines:
        if (AccountCode(line.account) in PERSONAL) != (line.owner_id is not None):
            raise UnbalancedEntryError(f"{line.account} has an owner exactly if it is personal.")


def _account(line: Line, *, currency: str) -> LedgerAccount:
    """Return the account of a line, opened the first time."""
    code = AccountCode(line.account)
    account = LedgerAccount.objects.filter(
        code=code, currency=currency, owner_id=line.owner_id
    ).first()
    if account is not None:
        return account
    # Two first postings may meet here; the second finds the account of the first.
    opened = LedgerAccount(code=code, kind=KINDS[code], currency=currency, owner_id=line.owner_id)
    LedgerAccount.objects.bulk_create([opened], ignore_conflicts=True)
    return LedgerAccount.objects.get(code=code, currency=currency, owner_id=line.owner_id)
