"""Decisions to order, as rows: a decision acts at most once because its key is unique."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from foundation.transactions import part_of_transaction
from market.enums import Leg, OrderType
from trading.domain import sizing
from trading.domain.kernel import IntentValues
from trading.models import (
    Deployment,
    DeploymentPosition,
    DeploymentRevision,
    IntentStatus,
    OrderIntent,
)


@dataclass(frozen=True, slots=True)
class Decided:
    """What to order for a deployment's instrument, and under which name.

    *entry_id* is the decision whose position it protects, adds to or closes; *step* numbers targets
    (from 0) and orders of a ladder (from 1).
    """

    deployment: Deployment
    revision_id: int
    instrument_id: int
    key: str
    values: IntentValues
    decided_price: Decimal | None
    bar_close_at: datetime | None
    reason: str
    entry_id: int | None = None
    step: int = 0


@part_of_transaction
def write(decided: Sequence[Decided], *, now: datetime) -> None:
    """Store decisions in one statement; those that are stored already stay as they are."""
    OrderIntent.objects.bulk_create(
        [_row(each, now) for each in decided],
        ignore_conflicts=True,
    )


@part_of_transaction
def write_exit(
    deployment: Deployment,
    *,
    position: DeploymentPosition,
    key: str,
    reason: str,
    now: datetime,
) -> None:
    """Store the decision to close *position* at the market."""
    values = IntentValues(
        leg=Leg.EXIT,
        side=sizing.closing_side(position.quantity),
        order_type=OrderType.MARKET,
        quantity=abs(position.quantity),
        price=None,
        trigger_price=None,
        reduce_only=True,
        stop_percent=0.0,
        target_percent=0.0,
    )
    write(
        [
            Decided(
                deployment=deployment,
                revision_id=latest_revision_id(deployment),
                instrument_id=position.instrument_id,
                key=key,
                values=values,
                decided_price=position.last_price,
                bar_close_at=None,
                reason=reason,
                entry_id=position.entry_id,
            )
        ],
        now=now,
    )


@part_of_transaction
def supersede(waiting: QuerySet[OrderIntent], *, code: str) -> int:
    """Drop decisions that have not become orders yet; return how many."""
    return waiting.filter(status=IntentStatus.NEW).update(
        status=IntentStatus.SUPERSEDED, reason_code=code
    )


@part_of_transaction
def deny_many(denied: Sequence[OrderIntent], *, code: str) -> None:
    """Refuse decisions by our own limits, in one statement; the wire is not touched."""
    for intent in denied:
        intent.status, intent.reason_code = IntentStatus.DENIED, code
    rows = OrderIntent.objects.filter(pk__in=[intent.pk for intent in denied])
    rows.update(status=IntentStatus.DENIED, reason_code=code)


@part_of_transaction
def postpone_many(waiting: Sequence[OrderIntent], *, until: datetime) -> None:
    """Let decisions wait, in one statement."""
    rows = OrderIntent.objects.filter(pk__in=[intent.pk for intent in waiting])
    rows.update(not_before=until)


@part_of_transaction
def postpone(intent: OrderIntent, *, until: datetime) -> None:
    """Let a decision wait; if it became an order before, its next attempt does."""
    intent.status = IntentStatus.NEW
    intent.not_before = until
    intent.save(update_fields=["status", "not_before"])


def latest_revision_id(deployment: Deployment) -> int:
    """Return the revision in force, or the last one that was."""
    revisions = DeploymentRevision.objects.filter(deployment=deployment)
    return revisions.order_by("-number").values_list("pk", flat=True)[:1].get()


def _row(decided: Decided, now: datetime) -> OrderIntent:
    values = decided.values
    return OrderIntent(
        owner_id=decided.deployment.owner_id,
        deployment=decided.deployment,
        revision_id=decided.revision_id,
        account_id=decided.deployment.account_id,
        instrument_id=decided.instrument_id,
        decision_key=decided.key,
        entry_id=decided.entry_id,
        step=decided.step,
        leg=values.leg.value,
        side=values.side.value,
        order_type=values.order_type.value,
        quantity=values.quantity,
        price=values.price,
        trigger_price=values.trigger_price,
        reduce_only=values.reduce_only,
        stop_percent=values.stop_percent,
        target_percent=values.target_percent,
        decided_price=decided.decided_price,
        bar_close_at=decided.bar_close_at,
        reason_code=decided.reason[:60],
        epoch=decided.deployment.epoch,
        not_before=now,
    )
