"""Commissions: earned by settled payments, payable after the time for refunds, taken back by refunds.

Whatever moves a person's commissions holds the row of their code first, so that a refund and the sweep
that makes a commission payable take turns, and no event counts twice however often it is delivered.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q

from billing.domain.money import places_of
from foundation import site_settings
from foundation.site_settings import SiteSettings
from foundation.transactions import part_of_transaction, transactional
from referrals.domain.commissions import commission_left, commission_on
from referrals.models import Attribution, Clawback, Commission, CommissionStatus
from referrals.selectors import commissions as selectors
from referrals.services import books, notices
from referrals.services.attributions import attribution_of
from referrals.services.codes import lock_referrer

logger = logging.getLogger(__name__)

_SWEPT_AT_ONCE: Final = 200


@transactional
def accrue(
    *,
    payment_id: int,
    referred_id: int,
    payment_number: int,
    currency: str,
    net: Decimal,
    settled_at: datetime,
) -> Commission | None:
    """Return what a settled payment earns for whoever brought the payer; a repeat changes nothing.

    None if nobody brought them, the referrer is deactivated, or this payment does not earn: another
    than the *payment_number* 1 where only the first counts, or too small for one coin. *net* is what
    the payment brought after the provider's fee.
    """
    attribution = attribution_of(referred_id=referred_id)
    if attribution is None:
        return None
    lock_referrer(owner_id=attribution.owner_id)
    _note_payment(attribution, settled_at=settled_at)
    present = Commission.objects.filter(payment_id=payment_id).first()
    if present is not None:
        return present
    rules = site_settings.current()
    places = places_of(currency)
    amount = commission_on(net, rate=rules.referral_rate, exponent=places)
    if not attribution.owner.is_active or not _earns(payment_number, rules) or not amount:
        return None
    commission = Commission.objects.create(
        owner_id=attribution.owner_id,
        attribution=attribution,
        payment_id=payment_id,
        payment_number=payment_number,
        currency=currency,
        net=net,
        rate=rules.referral_rate,
        amount=amount,
        earned_at=settled_at,
        payable_from=settled_at + timedelta(days=rules.referral_hold_days),
    )
    books.book_earned(commission)
    for clawback in Clawback.objects.filter(payment_id=payment_id).order_by("total_refunded", "pk"):
        _apply(clawback, commission)
    if commission.status != CommissionStatus.REVERSED:
        notices.tell_earned(commission)
    logger.info("commission.earned", extra={"commission_id": commission.pk})
    return commission


@transactional
def take_back(
    *,
    refund_id: int,
    payment_id: int,
    referred_id: int,
    currency: str,
    total_refunded: Decimal,
    refunded_at: datetime,
) -> Clawback | None:
    """Take back what a refund leaves uncovered of a commission; a repeat changes nothing.

    *total_refunded* is of the payment, with this refund and all before it, so refunds may come in any
    order; one that comes before its payment waits. None if nobody brought the payer.
    """
    attribution = attribution_of(referred_id=referred_id)
    if attribution is None:
        return None
    lock_referrer(owner_id=attribution.owner_id)
    try:
        with transaction.atomic():
            clawback = Clawback.objects.create(
                owner_id=attribution.owner_id,
                refund_id=refund_id,
                payment_id=payment_id,
                currency=currency,
                total_refunded=total_refunded,
                occurred_at=refunded_at,
            )
    except IntegrityError:
        return Clawback.objects.get(refund_id=refund_id)
    commission = Commission.objects.filter(payment_id=payment_id).first()
    if commission is not None:
        _apply(clawback, commission)
    return clawback


def mature_due(*, now: datetime) -> int:
    """Make payable what no refund can take from pending any more; return how many commissions.

    Each person's commissions are a transaction of their own.
    """
    owners = selectors.owners_with_due(now=now, most=_SWEPT_AT_ONCE)
    return sum(_mature_of(owner_id=owner_id, now=now) for owner_id in owners)


@transactional
def _mature_of(*, owner_id: int, now: datetime) -> int:
    lock_referrer(owner_id=owner_id)
    due = selectors.due_of(owner_id, now=now, most=_SWEPT_AT_ONCE)
    for commission in due:
        books.book_payable(commission, now=now)
        commission.status = CommissionStatus.PAYABLE
        commission.save(update_fields=["status"])
    return len(due)


@part_of_transaction
def _apply(clawback: Clawback, commission: Commission) -> None:
    """Let a refund reduce a commission to what the payment still covers."""
    left = commission_left(
        commission.net,
        refunded=clawback.total_refunded,
        amount=commission.amount,
        rate=commission.rate,
        exponent=places_of(commission.currency),
    )
    lost = commission.amount - commission.taken_back - left
    clawback.commission = commission
    # An earlier refund may be heard of after a later one, which has counted it already.
    clawback.amount = max(lost, Decimal(0))
    clawback.save(update_fields=["commission", "amount"])
    if not clawback.amount:
        return
    books.book_taken_back(clawback, commission=commission)
    commission.taken_back += clawback.amount
    if commission.taken_back == commission.amount:
        commission.status = CommissionStatus.REVERSED
    commission.save(update_fields=["taken_back", "status"])
    logger.info(
        "commission.taken_back",
        extra={"commission_id": commission.pk, "refund_id": clawback.refund_id},
    )


def _note_payment(attribution: Attribution, *, settled_at: datetime) -> None:
    """Keep when the referred person first paid; payments may be heard of in any order."""
    earlier_or_none = Q(first_paid_at=None) | Q(first_paid_at__gt=settled_at)
    row = Attribution.objects.filter(earlier_or_none, pk=attribution.pk)
    row.update(first_paid_at=settled_at)


def _earns(payment_number: int, rules: SiteSettings) -> bool:
    return rules.referral_payments == "ALL" or payment_number == 1
