"""Who may use what at an instant: computed from the rows, never from whether a sweep has run."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Q

from billing.domain import plans
from billing.domain.limits import Limit
from billing.models import (
    Grant,
    GrantSource,
    Plan,
    Product,
    Subscription,
    SubscriptionStatus,
)

#: The signed-in person as a request knows them; pages behind the login never meet the anonymous one.
Owner = AbstractBaseUser | AnonymousUser

_GIVEN_UP_WITHIN: Final = timedelta(days=1)


def entitling(*, now: datetime) -> Q:
    """Return the condition of subscriptions that give a right at *now*."""
    standing = Q(status__in=[SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED])
    return standing & (Q(ends_at=None) | Q(ends_at__gt=now))


def in_grace(*, now: datetime) -> Q:
    """Return the condition of bought subscriptions that have ended and may still be renewed in time.

    They give no right, so nothing is entered; but what runs keeps running, with its protective exits,
    until the grace (``HORIZONS.grace_s``) is over. Who has canceled, or was given the time, has none.
    """
    grace = timedelta(seconds=settings.HORIZONS.grace_s)
    bought = Grant.objects.filter(
        subscription=OuterRef("pk"), source=GrantSource.PURCHASE, to_at=OuterRef("ends_at")
    )
    ended = Q(ended_at=None, ends_at__lte=now, ends_at__gt=now - grace)
    return Q(status=SubscriptionStatus.ACTIVE) & ended & Q(Exists(bought))


def retained_owners(product_code: str, owner_ids: Collection[int], *, now: datetime) -> set[int]:
    """Return whose use of a product goes on at *now*: who has the right, or time left to renew it."""
    kept = Subscription.objects.filter(
        entitling(now=now) | in_grace(now=now), product__code=product_code, owner_id__in=owner_ids
    )
    return set(kept.values_list("owner_id", flat=True))


def losing_a_plan(owner_ids: Collection[int], *, now: datetime) -> set[int]:
    """Return whose plan has ended and may not have been given up: what it carried may still run.

    It has no sweep to wait for: an end counts from its instant, in its time of grace too, and for a
    day after it was carried out, within which everything above the limits that are left has stopped.
    """
    ended = Q(ended_at=None, ends_at__lte=now) | Q(ended_at__gt=now - _GIVEN_UP_WITHIN)
    held = Subscription.objects.filter(
        ended, product__kind=Product.Kind.PLAN, owner_id__in=owner_ids
    )
    return set(held.values_list("owner_id", flat=True))


def is_entitled(owner_id: int, product_code: str, *, now: datetime) -> bool:
    """Tell whether a person has a right to a product at *now*; one that does not exist is nobody's."""
    return bool(entitled_owners(product_code, [owner_id], now=now))


def entitled_owners(product_code: str, owner_ids: Collection[int], *, now: datetime) -> set[int]:
    """Return which of the people have a right to a product at *now*, by one query."""
    held = Subscription.objects.filter(
        entitling(now=now), product__code=product_code, owner_id__in=owner_ids
    )
    return set(held.values_list("owner_id", flat=True))


def plan_of(owner: Owner, *, now: datetime) -> Plan:
    """Return the plan that counts for a person at *now*, with its product.

    Of several it is the one of the highest rank; who has none has the default plan. Operators
    (``is_staff``) have the highest plan there is: an installation does not limit who runs it.
    """
    known = Plan.objects.select_related("product")
    if getattr(owner, "is_staff", False):
        highest = known.filter(product__is_active=True).order_by("-rank", "-pk").first()
        return highest or _as_first_written(plans.DESK)
    held = Subscription.objects.filter(
        entitling(now=now), owner_id=owner.pk, product__kind=Product.Kind.PLAN
    )
    mine = known.filter(Q(is_default=True) | Q(product_id__in=held.values("product_id")))
    return mine.order_by("-rank", "-pk").first() or _as_first_written(plans.FREE)


def limits_of(owner: Owner, *, now: datetime) -> dict[Limit, int | None]:
    """Return how many of each thing the person's plan allows at *now*; None is no limit."""
    return limits_in(plan_of(owner, now=now))


def limits_in(plan: Plan) -> dict[Limit, int | None]:
    """Return how many of each thing a plan allows; None is no limit."""
    return {limit: getattr(plan, limit.value) for limit in Limit}


def _as_first_written(definition: plans.PlanDefinition) -> Plan:
    """Return a plan of the code, for an installation whose plans are not written down yet."""
    product = Product(code=definition.code, name=definition.name, kind=Product.Kind.PLAN)
    return Plan(
        product=product,
        is_default=definition.is_default,
        rank=definition.rank,
        summary=definition.summary,
        **columns_of(definition.limits),
    )


def columns_of(limits: Mapping[Limit, int | None]) -> dict[str, int | None]:
    """Return limits by the names of the plan's columns."""
    return {limit.value: allowed for limit, allowed in limits.items()}
