"""What a payment does to a subscription: it adds the time that was bought, and takes it away again."""

import logging
from datetime import datetime
from typing import Final

from billing.domain.periods import extended
from billing.models import (
    Grant,
    GrantSource,
    Interval,
    Payment,
    Subscription,
    SubscriptionStatus,
)
from billing.services import changes
from foundation.audit import Actor
from foundation.transactions import part_of_transaction

logger = logging.getLogger(__name__)

MONTHS: Final = {Interval.MONTH: 1, Interval.YEAR: 12}


@part_of_transaction
def add_time(payment: Payment, *, by: Actor, now: datetime) -> Grant | None:
    """Extend the buyer's subscription by what *payment* bought, and return the grant.

    Time is added from the later of *now* and the present end; what had ended begins again. A
    subscription that an operator has deactivated gets its time and stays deactivated. None if it has
    no end (an operator gave it meanwhile): nothing can be added, and an operator may give the money back.
    The caller holds the person's billing row and the payment.
    """
    subscription = _find_locked(payment)
    if subscription is not None and subscription.ends_at is None and _stands(subscription, now=now):
        logger.warning("payment.adds_no_time", extra={"payment_id": payment.pk})
        return None
    was_entitled = subscription is not None and _stands(subscription, now=now)
    present_end = subscription.ends_at if subscription else None
    months = MONTHS[Interval(payment.interval)]
    from_at, to_at = extended(ends_at=present_end, now=now, months=months)
    if subscription is None:
        subscription = Subscription(
            owner_id=payment.owner_id, product=payment.product, started_at=now, ends_at=to_at
        )
        subscription.save()
    else:
        subscription.ends_at = to_at
        if subscription.status != SubscriptionStatus.DEACTIVATED:
            subscription.status, subscription.ended_at = SubscriptionStatus.ACTIVE, None
            if not was_entitled:
                subscription.started_at = now
        changes.save(subscription)
    grant = Grant.objects.create(
        owner_id=payment.owner_id,
        subscription=subscription,
        source=GrantSource.PURCHASE,
        request_key=f"payment:{payment.pk}",
        from_at=from_at,
        to_at=to_at,
        actor_kind=by.kind,
        actor_identifier=by.identifier,
    )
    changes.record(
        subscription, verb="subscription.bought", by=by, payment=str(payment.public_id),
        to_at=to_at.isoformat(),
    )  # fmt: skip
    if not was_entitled and subscription.status == SubscriptionStatus.ACTIVE:
        changes.publish_start(subscription, now=now)
    return grant


@part_of_transaction
def take_time_back(payment: Payment, *, by: Actor, now: datetime) -> None:
    """Shorten the subscription by what a payment had bought, at most to *now*.

    Without time left the right ends at once, without grace. Nothing happens for a payment that has
    added no time.
    """
    grant = payment.grant
    subscription = _find_locked(payment)
    if grant is None or grant.to_at is None or subscription is None:
        return
    if subscription.ends_at is None:
        return
    was_entitled = _stands(subscription, now=now)
    shortened = subscription.ends_at - (grant.to_at - grant.from_at)
    # An end that has passed stays where it was: history is not rewritten.
    subscription.ends_at = min(subscription.ends_at, max(now, shortened))
    is_over = subscription.ends_at <= now
    if is_over and subscription.status in {SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED}:
        subscription.status = SubscriptionStatus.EXPIRED
        had_ended = subscription.ended_at is not None
        subscription.ended_at = subscription.ended_at or now
        if was_entitled or not had_ended:
            changes.publish_end(subscription, now=now)
    changes.save(subscription)
    changes.record(
        subscription, verb="subscription.refunded", by=by, payment=str(payment.public_id),
        to_at=subscription.ends_at.isoformat(),
    )  # fmt: skip


def _find_locked(payment: Payment) -> Subscription | None:
    rows = Subscription.objects.select_for_update(of=("self",)).select_related("product")
    return rows.filter(owner_id=payment.owner_id, product_id=payment.product_id).first()


def _stands(subscription: Subscription, *, now: datetime) -> bool:
    standing = {SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED}
    return subscription.status in standing and (
        subscription.ends_at is None or subscription.ends_at > now
    )
