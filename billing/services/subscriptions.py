"""Subscriptions: one row for a person and a product, extended by grants, ended once.

Every deed on a subscription holds the person's billing row first, so that two of them take turns:
two grants add up, and a renewal beside a cancellation leaves what the later one of the two says.
"""

from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

from billing.domain.periods import extended
from billing.models import Grant, GrantSource, Product, Subscription, SubscriptionStatus
from billing.selectors import products
from billing.selectors import subscriptions as selectors
from billing.selectors.entitlements import Owner
from billing.selectors.subscriptions import SubscriptionNotFoundError
from billing.services import changes, notices
from billing.services.entitlements import lock_billing_of
from foundation.audit import Actor
from foundation.transactions import part_of_transaction, transactional
from market.errors import (
    ConflictError,
    EntitlementError,
    FieldProblem,
    ForbiddenError,
    InvalidInputError,
)

MOST_MONTHS: Final = 120

#: How many days before an end a person is reminded, the earliest first.
REMINDER_DAYS: Final = (7, 1)
_SWEPT_AT_ONCE: Final = 200
_SWEEP: Final = Actor.system("billing")


class NotOnOfferError(ConflictError):
    """The product is offered no more, or cannot be subscribed to by oneself."""

    code = "not_on_offer"

    def __init__(self, name: str) -> None:
        super().__init__(f"“{name}” cannot be subscribed to here.")


class PriceToPayError(EntitlementError):
    """The product has a price: it is bought, or granted by an operator."""

    code = "payment_required"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"“{name}” has a price. Buy it on its page, or ask an operator to grant it."
        )


class SubscriptionDeactivatedError(ForbiddenError):
    """An operator has taken the right away; only an operator gives it back."""

    code = "subscription_deactivated"

    def __init__(self) -> None:
        super().__init__("An operator has deactivated this subscription.")


class SubscriptionOverError(ConflictError):
    """The subscription has ended, so there is nothing to end."""

    code = "subscription_over"

    def __init__(self) -> None:
        super().__init__("This subscription has ended already.")


class NoEndToExtendError(ConflictError):
    """The subscription has no end, so no months can be added."""

    code = "subscription_has_no_end"

    def __init__(self) -> None:
        super().__init__("This subscription has no end, so there is nothing to extend.")


class InvalidMonthsError(InvalidInputError):
    """A length that a grant cannot have."""

    code = "out_of_range"

    def __init__(self, months: int) -> None:
        text = f"A grant is for 1 to {MOST_MONTHS} months, or without an end; not for {months}."
        super().__init__(text, problems=[FieldProblem("months", self.code, text)])


@transactional
def subscribe(
    *, owner: Owner, product_code: str, request_key: str = "", by: Actor, now: datetime
) -> Subscription:
    """Return the person's subscription to a strategy, made, begun again or resumed as needed.

    A strategy without a price is free and has no end. A canceled subscription with time left is
    resumed, whatever the price. A repeat changes nothing. Raises ProductNotFoundError,
    NotOnOfferError, PriceToPayError or SubscriptionDeactivatedError.
    """
    product = products.get_product(product_code)
    lock_billing_of(cast(int, owner.pk))
    subscription = _find_locked(owner_id=cast(int, owner.pk), product=product)
    if subscription is not None:
        if _is_repeat(subscription, request_key):
            return subscription
        if subscription.status == SubscriptionStatus.DEACTIVATED:
            raise SubscriptionDeactivatedError
        if _entitles(subscription, now=now):
            return _resume(subscription, by=by)
    if product.kind != Product.Kind.STRATEGY or not product.is_active:
        raise NotOnOfferError(product.name)
    if products.has_price(product, now=now):
        raise PriceToPayError(product.name)
    grant_row = Grant(source=GrantSource.FREE, request_key=request_key, from_at=now, to_at=None)
    return _give(
        grant_row, subscription=subscription, owner_id=cast(int, owner.pk), product=product,
        by=by, now=now,
    )  # fmt: skip


@transactional
def grant(
    *,
    owner_id: int,
    product_code: str,
    months: int | None,
    note: str = "",
    request_key: str = "",
    by: Actor,
    now: datetime,
) -> Subscription:
    """Give a person *months* more of a product, from the later of *now* and the present end.

    ``months`` None gives it without an end. The same *request_key* gives once. Raises
    ProductNotFoundError, InvalidMonthsError, NoEndToExtendError, or SubscriptionDeactivatedError
    until an operator has reactivated the subscription.
    """
    if months is not None and not 1 <= months <= MOST_MONTHS:
        raise InvalidMonthsError(months)
    product = products.get_product(product_code)
    lock_billing_of(owner_id)
    subscription = _find_locked(owner_id=owner_id, product=product)
    from_at, to_at = now, None
    if subscription is not None:
        if _is_repeat(subscription, request_key):
            return subscription
        if subscription.status == SubscriptionStatus.DEACTIVATED:
            raise SubscriptionDeactivatedError
        if _entitles(subscription, now=now) and subscription.ends_at is None:
            if months is not None:
                raise NoEndToExtendError
            return subscription
    if months is not None:
        present_end = subscription.ends_at if subscription else None
        from_at, to_at = extended(ends_at=present_end, now=now, months=months)
    grant_row = Grant(
        source=GrantSource.STAFF,
        request_key=request_key,
        from_at=from_at,
        to_at=to_at,
        note=note.strip()[:300],
    )
    return _give(
        grant_row, subscription=subscription, owner_id=owner_id, product=product, by=by, now=now
    )


@transactional
def cancel(*, owner: Owner, public_id: UUID, by: Actor, now: datetime) -> Subscription:
    """End a free subscription now, and one with an end at its end; a repeat changes nothing.

    Raises SubscriptionNotFoundError, SubscriptionOverError or SubscriptionDeactivatedError.
    """
    lock_billing_of(cast(int, owner.pk))
    subscription = _lock(owner_id=owner.pk, public_id=public_id)
    if subscription.status == SubscriptionStatus.DEACTIVATED:
        raise SubscriptionDeactivatedError
    if subscription.status == SubscriptionStatus.CANCELED:
        return subscription
    if not _entitles(subscription, now=now):
        raise SubscriptionOverError
    subscription.status = SubscriptionStatus.CANCELED
    if subscription.ends_at is None:
        subscription.ends_at = subscription.ended_at = now
        changes.publish_end(subscription, now=now)
    changes.save(subscription)
    changes.record(subscription, verb="subscription.canceled", by=by)
    return subscription


@transactional
def deactivate(*, subscription_id: int, by: Actor, now: datetime, note: str = "") -> Subscription:
    """Take a right away at once, for operators; the time that was left is kept for a reactivation.

    A repeat changes nothing. Raises SubscriptionNotFoundError, or SubscriptionOverError.
    """
    subscription = _lock_by_id(subscription_id)
    if subscription.status == SubscriptionStatus.DEACTIVATED:
        return subscription
    if not _entitles(subscription, now=now):
        raise SubscriptionOverError
    subscription.status = SubscriptionStatus.DEACTIVATED
    subscription.ended_at = now
    changes.save(subscription)
    changes.record(subscription, verb="subscription.deactivated", by=by, note=note)
    changes.publish_end(subscription, now=now)
    notices.tell_ended(subscription, now=now)
    return subscription


@transactional
def reactivate(*, subscription_id: int, by: Actor, now: datetime) -> Subscription:
    """Give back what was taken away, until the end that it had; a repeat changes nothing.

    If that end has passed, the subscription is expired and can be granted or begun again.
    """
    subscription = _lock_by_id(subscription_id)
    if subscription.status != SubscriptionStatus.DEACTIVATED:
        return subscription
    if subscription.ends_at is not None and subscription.ends_at <= now:
        subscription.status = SubscriptionStatus.EXPIRED
    else:
        subscription.status = SubscriptionStatus.ACTIVE
        subscription.ended_at = None
        changes.publish_start(subscription, now=now)
    changes.save(subscription)
    changes.record(subscription, verb="subscription.reactivated", by=by)
    return subscription


@transactional
def expire_due(*, now: datetime) -> int:
    """Carry out the ends that have come, each once; return how many. Another sweep's are skipped.

    What was bought is carried out after its time of grace (see ``in_grace``).
    """
    due = selectors.claim_ended(now=now, most=_SWEPT_AT_ONCE)
    for subscription in due:
        if subscription.status == SubscriptionStatus.ACTIVE:
            subscription.status = SubscriptionStatus.EXPIRED
        subscription.ended_at = now
        changes.save(subscription)
        changes.record(subscription, verb="subscription.ended", by=_SWEEP)
        changes.publish_end(subscription, now=now)
        notices.tell_ended(subscription, now=now)
    return len(due)


@transactional
def remind_due(*, now: datetime) -> int:
    """Remind of ends that are a week or a day away, or that may still be undone by renewing, each once.

    Return how many were told. A later end is new. Who has canceled knows of the end and is not reminded.
    """
    told = 0
    for days in sorted(REMINDER_DAYS):
        until = now + timedelta(days=days)
        due = selectors.claim_to_remind(now=now, until=until, days=days, most=_SWEPT_AT_ONCE)
        for subscription in due:
            subscription.reminded_for, subscription.reminded_days = subscription.ends_at, days
            subscription.save(update_fields=["reminded_for", "reminded_days"])
            notices.tell_expiring(subscription, days=days, now=now)
        told += len(due)
    in_grace = selectors.claim_in_grace(now=now, most=_SWEPT_AT_ONCE)
    for subscription in in_grace:
        subscription.reminded_for, subscription.reminded_days = subscription.ends_at, 0
        subscription.save(update_fields=["reminded_for", "reminded_days"])
        notices.tell_grace(subscription, now=now)
    return told + len(in_grace)


def _find_locked(*, owner_id: int, product: Product) -> Subscription | None:
    rows = Subscription.objects.select_for_update(of=("self",)).select_related("product")
    return rows.filter(owner_id=owner_id, product=product).first()


def _lock(**which: object) -> Subscription:
    rows = Subscription.objects.select_for_update(of=("self",)).select_related("product")
    subscription = rows.filter(**which).first()
    if subscription is None:
        raise SubscriptionNotFoundError
    return subscription


def _lock_by_id(subscription_id: int) -> Subscription:
    owner_id = (
        Subscription.objects.filter(pk=subscription_id).values_list("owner_id", flat=True).first()
    )
    if owner_id is None:
        raise SubscriptionNotFoundError
    lock_billing_of(owner_id)
    return _lock(pk=subscription_id)


def _is_repeat(subscription: Subscription, request_key: str) -> bool:
    return bool(request_key) and subscription.grants.filter(request_key=request_key).exists()


def _entitles(subscription: Subscription, *, now: datetime) -> bool:
    standing = {SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED}
    return subscription.status in standing and (
        subscription.ends_at is None or subscription.ends_at > now
    )


@part_of_transaction
def _resume(subscription: Subscription, *, by: Actor) -> Subscription:
    """Undo a cancellation whose end has not come; another subscription stays as it is."""
    if subscription.status == SubscriptionStatus.CANCELED:
        subscription.status = SubscriptionStatus.ACTIVE
        changes.save(subscription)
        changes.record(subscription, verb="subscription.resumed", by=by)
    return subscription


@part_of_transaction
def _give(
    grant_row: Grant,
    *,
    subscription: Subscription | None,
    owner_id: int,
    product: Product,
    by: Actor,
    now: datetime,
) -> Subscription:
    """Write a grant, and bring the subscription to its end; one that had ended begins again."""
    was_entitled = subscription is not None and _entitles(subscription, now=now)
    is_new = subscription is None
    # An end that no sweep has carried out yet was told to nobody, so there is no beginning to tell.
    is_beginning = subscription is None or subscription.ended_at is not None
    if subscription is None:
        subscription = Subscription(owner_id=owner_id, product=product, started_at=now)
    elif not was_entitled:
        subscription.started_at = now
    subscription.status = SubscriptionStatus.ACTIVE
    subscription.ends_at, subscription.ended_at = grant_row.to_at, None
    if is_new:
        subscription.save()
    else:
        changes.save(subscription)
    grant_row.owner_id, grant_row.subscription = owner_id, subscription
    grant_row.actor_kind, grant_row.actor_identifier = by.kind, by.identifier
    grant_row.save()
    changes.record(
        subscription,
        verb="subscription.granted",
        by=by,
        source=grant_row.source,
        to_at=grant_row.to_at.isoformat() if grant_row.to_at else None,
        note=grant_row.note,
    )
    if is_beginning:
        changes.publish_start(subscription, now=now)
    return subscription
