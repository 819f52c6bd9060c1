"""How many rights people have and which end soon: for operators, never for a person's page."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Count

from billing.models import Subscription
from billing.selectors.entitlements import entitling
from foundation import replica


def active_by_product(*, now: datetime) -> dict[str, int]:
    """Return how many people have a right to each product, by its code; absent ones have none."""
    rows = (
        Subscription.objects.using(replica.using())
        .filter(entitling(now=now))
        .values_list("product__code")
        .annotate(count=Count("pk"))
        .order_by()
    )
    return dict(rows)


def ending_within(period: timedelta, *, now: datetime, most: int) -> Sequence[Subscription]:
    """Return at most *most* subscriptions that end within *period*, the next one first."""
    rows = Subscription.objects.using(replica.using()).filter(
        entitling(now=now), ends_at__lte=now + period
    )
    return list(rows.select_related("owner", "product").order_by("ends_at", "pk")[:most])
