"""Pages of what a deployment did, newest first, each below a row that the reader has seen."""

from collections.abc import Sequence

from django.db.models import Prefetch

from trading.models import Deployment, Fill, Order, OrderTransition
from trading.selectors.owners import Owner


def orders_below(
    owner: Owner, *, deployment: Deployment, below: int | None, limit: int
) -> Sequence[Order]:
    """Return orders of a deployment of *owner*, with their steps; *below* is the key of an order."""
    steps = OrderTransition.objects.order_by("pk")
    found = Order.objects.filter(owner_id=owner.pk, deployment=deployment)
    if below is not None:
        found = found.filter(pk__lt=below)
    with_steps = found.prefetch_related(Prefetch("transitions", queryset=steps))
    return list(with_steps.select_related("instrument").order_by("-pk")[:limit])


def fills_below(
    owner: Owner, *, deployment: Deployment, below: int | None, limit: int
) -> Sequence[Fill]:
    """Return executions of a deployment of *owner*; *below* is the key of an execution."""
    found = Fill.objects.filter(owner_id=owner.pk, deployment=deployment)
    if below is not None:
        found = found.filter(pk__lt=below)
    return list(found.select_related("instrument", "order").order_by("-pk")[:limit])
