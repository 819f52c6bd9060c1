"""Protect or flatten: no position stays without its stop for longer than the horizon.

A position knows since when its stop has not been known to rest. Once that is too long, a target that
stands in the stop's place gives way to it, and what cannot be protected is closed.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import OperationalError
from django.db.models import QuerySet

from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market.enums import Leg, OrderType
from market.orders import RESTING
from trading.domain import keys
from trading.models import Deployment, DeploymentPosition, Order, OrderIntent
from trading.services import exits, health, protection

logger = logging.getLogger(__name__)

#: Positions that one sweep looks at; the next one goes on.
_SWEPT_AT_ONCE: Final = 500


def sweep_unprotected(*, now: datetime) -> int:
    """Protect or close what has had no stop for too long; return how many positions that were."""
    since = now - timedelta(seconds=settings.HORIZONS.protect_s)
    late = DeploymentPosition.objects.filter(unprotected_since__lte=since)
    found = list(
        late.order_by("unprotected_since", "pk").values_list("deployment_id", "instrument_id")[
            :_SWEPT_AT_ONCE
        ]
    )
    for deployment_id, instrument_id in found:
        try:
            _protect_or_flatten(
                deployment_id=deployment_id, instrument_id=instrument_id, since=since, now=now
            )
        except OperationalError:
            raise
        except Exception:
            # The others are no less unprotected.
            logger.exception("unprotected.broken", extra={"deployment_id": deployment_id})
            _tell_of(deployment_id, now=now)
    return len(found)


@transactional
def _protect_or_flatten(
    *, deployment_id: int, instrument_id: int, since: datetime, now: datetime
) -> None:
    deployment = (
        Deployment.objects.select_for_update(of=("self",))
        .select_related("account__venue", "owner")
        .get(pk=deployment_id)
    )
    # What is missing is put in place first: after a time in which nobody worked, that is enough.
    protection.follow(deployment, instrument_id=instrument_id, now=now)
    enqueue_on_commit("trading.submit_due_intents")
    position = (
        DeploymentPosition.objects.select_for_update(of=("self",))
        .select_related("instrument", "entry")
        .get(deployment=deployment, instrument_id=instrument_id)
    )
    if position.unprotected_since is None or position.unprotected_since > since:
        return
    if _take_target_back(deployment, position, now=now):
        return
    if exits.is_under_way(deployment, position=position, now=now):
        return
    if not _was_tried(position):
        # Nothing has gone out yet, so an exit would not either.
        health.degrade(
            deployment,
            code=health.STOP_NOT_PLACED,
            message="The stop has not been sent yet; nothing goes out for this account.",
            now=now,
        )
        return
    key = position.entry.decision_key if position.entry else str(position.pk)
    protection.flatten(
        deployment,
        position=position,
        key=keys.protective_key(key, number=_stops_of(position).count()),
        now=now,
    )


@transactional
def _tell_of(deployment_id: int, *, now: datetime) -> None:
    deployment = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment_id)
    health.degrade(deployment, code=health.BROKEN, message=health.BROKEN_MESSAGE, now=now)


def _take_target_back(
    deployment: Deployment, position: DeploymentPosition, *, now: datetime
) -> bool:
    """Cancel a target that stands where the stop should and has not filled in time."""
    if exits.targets_rest(position):
        return False
    resting = Order.objects.filter(
        deployment=deployment,
        instrument_id=position.instrument_id,
        leg=Leg.TARGET.value,
        order_type=OrderType.LIMIT.value,
        status__in=[status.value for status in RESTING],
    )
    if not resting.exists():
        return False
    protection.cancel_resting(
        deployment,
        instrument_id=position.instrument_id,
        legs=frozenset({Leg.TARGET}),
        now=now,
        why="the price has left the target; the stop comes back",
    )
    return True


def _was_tried(position: DeploymentPosition) -> bool:
    """Tell whether the stop that is missing was sent, or tried to be."""
    newest = _stops_of(position).order_by("-pk").values("pk")[:1]
    return Order.objects.filter(intent__in=newest).exists()


def _stops_of(position: DeploymentPosition) -> QuerySet[OrderIntent, OrderIntent]:
    return OrderIntent.objects.filter(entry_id=position.entry_id, leg=Leg.STOP.value)
