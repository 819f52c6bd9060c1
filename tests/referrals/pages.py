"""The pages of the referrals that are looked at in a browser."""

from datetime import timedelta

from django.utils import timezone

from accounts.models import User
from referrals.services import codes, commissions, payouts
from tests.factories import referrals as factory
from tests.web.pages import PageCase

_ADDRESS = "/referrals/"


def _empty(person: User) -> str:
    codes.ensure_code(owner_id=person.pk)
    return _ADDRESS


def _earning(person: User) -> str:
    now = timezone.now()
    for number, net in enumerate(["290.00", "96.80", "1450.00", "19.99"]):
        payer = factory.bring(person, signed_up_at=now - timedelta(days=70 - 15 * number),
                              followed_at=now - timedelta(days=72 - 15 * number))  # fmt: skip
        factory.pay(payer, net, at=now - timedelta(days=60 - 15 * number))
    commissions.mature_due(now=now)
    return _ADDRESS


def _many(person: User) -> str:
    _earning(person)
    now = timezone.now()
    for number in range(1, 40):
        at = now - timedelta(days=18 * number)
        payer = factory.bring(person, followed_at=at, signed_up_at=at)
        factory.pay(payer, f"{number * 1234}.99", currency=("USD", "EUR", "JPY")[number % 3], at=at)
    commissions.mature_due(now=now)
    sent = factory.ask(person, currency="EUR", now=now)
    payouts.send_payout(payout_id=sent.pk, reference="9f" * 40, by=factory.OPERATOR, now=now)
    rejected = factory.ask(person, now=now)
    payouts.reject_payout(payout_id=rejected.pk, note="w" * 300, by=factory.OPERATOR, now=now)
    factory.ask(person, currency="JPY", now=now)
    return _ADDRESS


def _overdrawn(person: User) -> str:
    commission = factory.earn(person)
    factory.ask(person)
    commissions.take_back(
        refund_id=1,
        payment_id=commission.payment_id,
        referred_id=commission.attribution.referred_id,
        currency="USD",
        total_refunded=commission.net,
        refunded_at=factory.PAYABLE_AT,
    )
    return _ADDRESS


PAGES = [
    PageCase("referrals", _earning),
    PageCase("referrals-empty", _empty),
    PageCase("referrals-many", _many),
    PageCase("referrals-overdrawn", _overdrawn),
]
