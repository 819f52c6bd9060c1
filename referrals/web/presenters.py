"""What the page of a referrer shows; who the people are that came by the link is not told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.urls import reverse

from foundation import site_settings
from referrals.domain.payouts import PayoutStatus
from referrals.models import Commission, CommissionStatus, Payout
from referrals.selectors import codes, commissions, earnings, payouts
from referrals.selectors.codes import Owner
from referrals.selectors.earnings import Balance, Month, Reach

_COMMISSIONS_A_PAGE: Final = 20
_MOST_PAYOUTS: Final = 50
#: What prices are in, as long as nobody has earned anything in another currency.
_USUAL_CURRENCY: Final = "USD"
#: How far back the table by month goes.
_MONTHS_BACK: Final = timedelta(days=730)
_COMMISSION_TONES: Final = {
    CommissionStatus.PENDING: "info",
    CommissionStatus.PAYABLE: "gain",
    CommissionStatus.REVERSED: "neutral",
}
_PAYOUT_TONES: Final = {
    PayoutStatus.REQUESTED: "info",
    PayoutStatus.SENT: "gain",
    PayoutStatus.REJECTED: "loss",
}


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of a currency."""

    value: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class MonthRow:
    """One month; amounts of each currency."""

    label: str
    sign_ups: int
    conversions: int
    earned: Sequence[Amount]
    paid: Sequence[Amount]


@dataclass(frozen=True, slots=True)
class CommissionRow:
    """One commission; ``left`` is what refunds have not taken back."""

    earned_at: datetime
    left: Amount
    taken_back: Amount | None
    rate: Decimal
    status: str
    label: str
    tone: str
    payable_from: datetime | None


@dataclass(frozen=True, slots=True)
class PayoutRow:
    """One payout."""

    requested_at: datetime
    amount: Amount
    method: str
    destination: str
    status: str
    label: str
    tone: str
    closed_at: datetime | None
    explanation: str


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """Link, reach, balances, months, commissions and payouts of a referrer."""

    link: str
    rate: Decimal
    earns_always: bool
    hold_days: int
    window_days: int
    minimum: Decimal
    reach: Reach
    minimum_currency: str
    balances: Sequence[Balance]
    only_balance: Balance | None
    can_ask_for: Sequence[str]
    waiting: Sequence[str]
    is_overdrawn: bool
    months: Sequence[MonthRow]
    commissions: Sequence[CommissionRow]
    pages: Page[Any]
    payouts: Sequence[PayoutRow]


def present_overview(owner: Owner, *, page_number: str, now: datetime) -> OverviewPage:
    """Return the page of a referrer; a page of commissions that does not exist is the nearest one."""
    rules = site_settings.current()
    balances = earnings.balances_of(owner)
    mine = payouts.page_of_payouts(owner, most=_MOST_PAYOUTS)
    waiting = [row.currency for row in mine if row.status == PayoutStatus.REQUESTED]
    minimum = rules.referral_minimum_payout
    pages = Paginator(commissions.commissions_for(owner), _COMMISSIONS_A_PAGE).get_page(page_number)
    return OverviewPage(
        link=link_of(owner),
        rate=rules.referral_rate,
        earns_always=rules.referral_payments == "ALL",
        hold_days=rules.referral_hold_days,
        window_days=rules.referral_window_days,
        minimum=minimum,
        reach=earnings.reach_of(owner),
        minimum_currency=balances[0].currency if balances else _USUAL_CURRENCY,
        balances=balances,
        only_balance=balances[0] if len(balances) == 1 else None,
        can_ask_for=[
            balance.currency
            for balance in balances
            if balance.payable > 0
            and balance.payable >= minimum
            and balance.currency not in waiting
        ],
        waiting=waiting,
        is_overdrawn=any(balance.payable < 0 for balance in balances),
        months=[_month(row) for row in earnings.months_of(owner, since=now - _MONTHS_BACK)],
        commissions=[_commission(row) for row in pages],
        pages=pages,
        payouts=[_payout(row) for row in mine],
    )


def link_of(owner: Owner) -> str:
    """Return the link by which a person brings others; "" in the moment before there is a code."""
    code = codes.find_code_of(owner)
    return f"{settings.SITE_URL}{reverse('referral_link', args=[code.code])}" if code else ""


def _month(month: Month) -> MonthRow:
    return MonthRow(
        label=month.begins_on.strftime("%B %Y"),
        sign_ups=month.sign_ups,
        conversions=month.conversions,
        earned=_amounts(month.earned),
        paid=_amounts(month.paid),
    )


def _amounts(sums: Mapping[str, Decimal]) -> list[Amount]:
    return [Amount(value, currency) for currency, value in sorted(sums.items())]


def _commission(row: Commission) -> CommissionRow:
    status = CommissionStatus(row.status)
    return CommissionRow(
        earned_at=row.earned_at,
        left=Amount(row.amount - row.taken_back, row.currency),
        taken_back=Amount(row.taken_back, row.currency) if row.taken_back else None,
        rate=row.rate,
        status=row.status,
        label=status.label,
        tone=_COMMISSION_TONES[status],
        payable_from=row.payable_from if status == CommissionStatus.PENDING else None,
    )


def _payout(row: Payout) -> PayoutRow:
    return PayoutRow(
        requested_at=row.requested_at,
        amount=Amount(row.amount, row.currency),
        method=row.get_method_display(),
        destination=row.destination,
        status=row.status,
        label=row.get_status_display(),
        tone=_PAYOUT_TONES[PayoutStatus(row.status)],
        closed_at=row.closed_at,
        explanation=row.reference or row.note,
    )
