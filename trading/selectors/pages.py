"""Pages of a person's deployments and of what each did, newest first, each below a row already seen.

They may lag by some seconds (see ``foundation.replica``): nothing that decides reads here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from foundation import replica
from trading.models import (
    Deployment,
    DeploymentCommand,
    DeploymentInstrument,
    DeploymentPosition,
    ExternalOrder,
    Fill,
    Order,
    OrderTransition,
)
from trading.selectors.owners import Owner


@dataclass(frozen=True, slots=True)
class DeploymentFilter:
    """Which deployments to list; None leaves a question open. *mode* is that of the account."""

    actual_state: str | None = None
    mode: str | None = None
    strategy: str | None = None


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders or executions to list; *since* is when they were recorded at the earliest."""

    status: str | None = None
    symbol: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExternalFilter:
    """Which orders of others to list; *state* is ``resting`` or ``gone``, None both."""

    account: UUID | None = None
    state: str | None = None


def deployments_below(
    owner: Owner, *, wanted: DeploymentFilter, below: int | None, limit: int
) -> Sequence[Deployment]:
    """Return deployments of *owner* with what they hold; *below* is the key of one."""
    asked = {
        "actual_state": wanted.actual_state,
        "account__kind": wanted.mode,
        "strategy_version__strategy__slug": wanted.strategy,
        "pk__lt": below,
    }
    held = DeploymentPosition.objects.select_related("instrument").order_by("pk")
    traded = DeploymentInstrument.objects.select_related("instrument").order_by("pk")
    found = (
        Deployment.objects.using(replica.using())
        .filter(owner_id=owner.pk, **_given(asked))
        .select_related("strategy_version__strategy", "account__venue")
        .prefetch_related(
            Prefetch("positions", queryset=held), Prefetch("instruments", queryset=traded)
        )
    )
    return list(found.order_by("-pk")[:limit])


def orders_below(
    owner: Owner, *, deployment: Deployment, wanted: OrderFilter, below: int | None, limit: int
) -> Sequence[Order]:
    """Return orders of a deployment of *owner*, with their steps; *below* is the key of an order."""
    asked = {
        "status": wanted.status,
        "instrument__symbol": wanted.symbol,
        "created_at__gte": wanted.since,
        "pk__lt": below,
    }
    steps = OrderTransition.objects.order_by("pk")
    found = (
        Order.objects.using(replica.using())
        .filter(owner_id=owner.pk, deployment_id=deployment.pk, **_given(asked))
        .select_related("instrument")
        .prefetch_related(Prefetch("transitions", queryset=steps))
    )
    return list(found.order_by("-pk")[:limit])


def fills_below(
    owner: Owner, *, deployment: Deployment, wanted: OrderFilter, below: int | None, limit: int
) -> Sequence[Fill]:
    """Return executions of a deployment of *owner*; *below* is the key of an execution."""
    asked = {
        "instrument__symbol": wanted.symbol,
        "venue_at__gte": wanted.since,
        "pk__lt": below,
    }
    found = (
        Fill.objects.using(replica.using())
        .filter(owner_id=owner.pk, deployment_id=deployment.pk, **_given(asked))
        .select_related("instrument", "order")
    )
    return list(found.order_by("-pk")[:limit])


def external_of(owner: Owner, *, wanted: ExternalFilter) -> QuerySet[ExternalOrder]:
    """Return orders on the accounts of *owner* that were not made here, newest first."""
    asked = {
        "account__public_id": wanted.account,
        "gone_at__isnull": None if wanted.state is None else wanted.state == "resting",
    }
    return (
        ExternalOrder.objects.using(replica.using())
        .filter(owner_id=owner.pk, **_given(asked))
        .select_related("instrument", "account__venue")
        .order_by("-pk")
    )


def external_below(
    owner: Owner, *, wanted: ExternalFilter, below: int | None, limit: int
) -> Sequence[ExternalOrder]:
    """Return a page of what ``external_of`` lists; *below* is the key of one."""
    return list(external_of(owner, wanted=wanted).filter(**_given({"pk__lt": below}))[:limit])


def commands_below(
    owner: Owner, *, deployment: Deployment, below: int | None, limit: int
) -> Sequence[DeploymentCommand]:
    """Return commands to a deployment of *owner*, from the primary: they show what was just told."""
    found = DeploymentCommand.objects.filter(
        owner_id=owner.pk, deployment_id=deployment.pk, **_given({"pk__lt": below})
    )
    return list(found.order_by("-pk")[:limit])


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}
