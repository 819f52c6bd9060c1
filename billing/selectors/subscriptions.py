"""What people subscribe to; every read of a person's rows names the owner."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import F, Prefetch, Q, QuerySet

from billing.models import Grant, Subscription, SubscriptionStatus
from billing.selectors.entitlements import Owner, in_grace
from market.errors import NotFoundError


class SubscriptionNotFoundError(NotFoundError):
    """There is no such subscription, or it is somebody else's."""

    code = "subscription_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such subscription.")


def subscriptions_for(owner: Owner) -> QuerySet[Subscription]:
    """Return all subscriptions of *owner*, ended ones too, with product and grants, newest first."""
    mine = Subscription.objects.filter(owner_id=owner.pk).select_related("product")
    grants = Grant.objects.order_by("-pk")
    return mine.prefetch_related(Prefetch("grants", grants)).order_by("-started_at", "-pk")


def get_subscription_for(owner: Owner, *, public_id: UUID) -> Subscription:
    """Return a subscription of *owner*; raise SubscriptionNotFoundError for any other."""
    found = subscriptions_for(owner).filter(public_id=public_id).first()
    if found is None:
        raise SubscriptionNotFoundError
    return found


def page_of_subscriptions(owner: Owner, *, before: int | None, most: int) -> Sequence[Subscription]:
    """Return up to *most* subscriptions of *owner*, the last made first, made before a key."""
    mine = Subscription.objects.filter(owner_id=owner.pk).select_related("product")
    if before is not None:
        mine = mine.filter(pk__lt=before)
    return list(mine.order_by("-pk")[:most])


def find_subscription_for(owner: Owner, *, product_code: str) -> Subscription | None:
    """Return the subscription of *owner* to a product, ended ones too, or None."""
    return subscriptions_for(owner).filter(product__code=product_code).first()


def subscriptions_to(owner: Owner, product_codes: Collection[str]) -> dict[str, Subscription]:
    """Return the subscriptions of *owner* to some products by product code, for lists of products."""
    mine = Subscription.objects.filter(owner_id=owner.pk, product__code__in=product_codes)
    return {row.product.code: row for row in mine.select_related("product")}


def claim_ended(*, now: datetime, most: int) -> Sequence[Subscription]:
    """Return locked subscriptions whose end has come and is to be carried out; for sweeps."""
    return _claimed(Q(ended_at=None, ends_at__lte=now) & ~in_grace(now=now), most)


def claim_in_grace(*, now: datetime, most: int) -> Sequence[Subscription]:
    """Return locked subscriptions in their time of grace of which the person was not told."""
    told = Q(reminded_for=F("ends_at"), reminded_days=0)
    return _claimed(in_grace(now=now) & ~told, most)


def claim_to_remind(
    *, now: datetime, until: datetime, days: int, most: int
) -> Sequence[Subscription]:
    """Return locked subscriptions that end in ``(now, until]`` and of which nobody was reminded.

    A reminder counts if it was for this end, and *days* or fewer days before it.
    """
    reminded = Q(reminded_for=F("ends_at"), reminded_days__lte=days)
    due = Q(ended_at=None, ends_at__gt=now, ends_at__lte=until, status=SubscriptionStatus.ACTIVE)
    return _claimed(due & ~reminded, most)


def _claimed(due: Q, most: int) -> Sequence[Subscription]:
    """Lock what is due; what another process holds is left to it."""
    rows = Subscription.objects.filter(due).select_for_update(skip_locked=True, of=("self",))
    return list(rows.select_related("product").order_by("ends_at", "pk")[:most])
