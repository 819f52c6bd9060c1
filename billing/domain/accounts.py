"""The chart of accounts: every place between which the books move money.

A debit is positive and a credit negative, whatever the account. Assets and expenses grow by debits;
liabilities, income and equity grow by credits, so their balances are shown with the sign turned.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class AccountKind(StrEnum):
    """What an account is to the business."""

    ASSET = "ASSET"
    LIABILITY = "LIABILITY"
    INCOME = "INCOME"
    EXPENSE = "EXPENSE"
    EQUITY = "EQUITY"


class AccountCode(StrEnum):
    """The accounts; there is one of each for a currency, and for a person where it is personal."""

    #: What payment providers hold for us and have not paid out.
    PROCESSOR_CLEARING = "processor_clearing"
    #: Money in the bank.
    CASH = "cash"
    #: What payment providers kept for themselves.
    FEES = "fees"
    #: Paid for, and not yet delivered.
    DEFERRED_REVENUE = "deferred_revenue"
    #: Delivered.
    REVENUE = "revenue"
    #: Taken by the bank of a payer, until the dispute is decided.
    DISPUTE_RESERVE = "dispute_reserve"
    COMMISSION_EXPENSE = "commission_expense"
    #: Earned by a referrer, within the time in which the payment may be refunded.
    COMMISSION_PENDING = "commission_pending"
    #: Earned by a referrer for good; below zero after a late refund, and then set off against the next.
    COMMISSION_PAYABLE = "commission_payable"
    #: Payouts on their way to referrers.
    PAYOUT_CLEARING = "payout_clearing"


KINDS: Final[Mapping[AccountCode, AccountKind]] = MappingProxyType(
    {
        AccountCode.PROCESSOR_CLEARING: AccountKind.ASSET,
        AccountCode.CASH: AccountKind.ASSET,
        AccountCode.DISPUTE_RESERVE: AccountKind.ASSET,
        AccountCode.FEES: AccountKind.EXPENSE,
        AccountCode.DEFERRED_REVENUE: AccountKind.LIABILITY,
        AccountCode.REVENUE: AccountKind.INCOME,
        AccountCode.COMMISSION_EXPENSE: AccountKind.EXPENSE,
        AccountCode.COMMISSION_PENDING: AccountKind.LIABILITY,
        AccountCode.COMMISSION_PAYABLE: AccountKind.LIABILITY,
        AccountCode.PAYOUT_CLEARING: AccountKind.LIABILITY,
    }
)

#: Accounts that every person has one of; the others belong to the installation.
PERSONAL: Final = frozenset({AccountCode.COMMISSION_PENDING, AccountCode.COMMISSION_PAYABLE})

_GROW_BY_DEBIT: Final = frozenset({AccountKind.ASSET, AccountKind.EXPENSE})


def natural_sign(kind: AccountKind) -> int:
    """Return 1 where debits add to the balance, -1 where credits do."""
    return 1 if kind in _GROW_BY_DEBIT else -1
