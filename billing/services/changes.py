"""What every change of a subscription leaves behind: its row, an audit entry, an event."""

import logging
from datetime import datetime

from billing.events import SUBSCRIPTION_ENDED, SUBSCRIPTION_STARTED
from billing.models import Subscription
from foundation import audit
from foundation.audit import Actor
from foundation.events import publish
from foundation.transactions import part_of_transaction

logger = logging.getLogger(__name__)


@part_of_transaction
def save(subscription: Subscription) -> None:
    """Write how a locked subscription stands now."""
    subscription.version += 1
    subscription.save(update_fields=["status", "started_at", "ends_at", "ended_at", "version"])


@part_of_transaction
def record(subscription: Subscription, *, verb: str, by: Actor, **detail: str | None) -> None:
    """Write down who changed the subscription, beside its product."""
    audit.record(
        actor=by,
        verb=verb,
        target=subscription,
        owner_id=subscription.owner_id,
        detail={"product": subscription.product.code, **detail},
    )
    logger.info(verb, extra={"subscription_id": subscription.pk})


@part_of_transaction
def publish_start(subscription: Subscription, *, now: datetime) -> None:
    """Tell the apps above that the person has a right to the product (again)."""
    _publish(SUBSCRIPTION_STARTED, subscription, now=now)


@part_of_transaction
def publish_end(subscription: Subscription, *, now: datetime) -> None:
    """Tell the apps above that the right is over."""
    _publish(SUBSCRIPTION_ENDED, subscription, now=now)


def _publish(event_name: str, subscription: Subscription, *, now: datetime) -> None:
    publish(
        event_name,
        occurred_at=now,
        owner_id=subscription.owner_id,
        subscription_id=subscription.pk,
        product_code=subscription.product.code,
    )
