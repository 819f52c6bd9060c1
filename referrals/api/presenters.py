"""What the API says of commissions and payouts; never who it was that paid."""

from typing import Any

from django.conf import settings
from django.urls import reverse

from billing.domain.money import plain
from foundation import site_settings
from referrals.models import Commission, Payout
from referrals.selectors import codes, earnings
from referrals.selectors.codes import Owner
from referrals.selectors.earnings import Balance


def present_referrer(owner: Owner) -> dict[str, Any]:
    """Return a person's link, the rules that hold now, and what came of it."""
    code, rules, reach = (
        codes.find_code_of(owner),
        site_settings.current(),
        earnings.reach_of(owner),
    )
    link = f"{settings.SITE_URL}{reverse('referral_link', args=[code.code])}" if code else None
    return {
        "code": code.code if code else None,
        "link": link,
        "rate": plain(rules.referral_rate),
        "payments": rules.referral_payments,
        "minimum_payout": plain(rules.referral_minimum_payout),
        "sign_ups": reach.sign_ups,
        "conversions": reach.conversions,
        "balances": [_balance(balance) for balance in earnings.balances_of(owner)],
    }


def present_commission(commission: Commission) -> dict[str, Any]:
    """Return a commission."""
    return {
        "id": commission.public_id,
        "status": commission.status,
        "currency": commission.currency,
        "amount": plain(commission.amount),
        "taken_back": plain(commission.taken_back),
        "rate": plain(commission.rate),
        "earned_at": commission.earned_at,
        "payable_from": commission.payable_from,
    }


def present_payout(payout: Payout) -> dict[str, Any]:
    """Return a payout."""
    return {
        "id": payout.public_id,
        "status": payout.status,
        "currency": payout.currency,
        "amount": plain(payout.amount),
        "method": payout.method,
        "destination": payout.destination,
        "requested_at": payout.requested_at,
        "closed_at": payout.closed_at,
        "reference": payout.reference,
        "note": payout.note,
    }


def _balance(balance: Balance) -> dict[str, Any]:
    return {
        "currency": balance.currency,
        "pending": plain(balance.pending),
        "payable": plain(balance.payable),
        "requested": plain(balance.requested),
        "paid": plain(balance.paid),
        "earned": plain(balance.earned),
    }
