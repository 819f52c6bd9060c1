"""Decisions to order, as rows: a decision acts at most once because its key is unique."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection
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

_INSERT: Final = """
    INSERT INTO trading_orderintent (
        public_id, status, not_before, deployment_id, epoch, owner_id, account_id, revision_id,
        instrument_id, decision_key, entry_id, step, leg, side, order_type, quantity, price, trigger_price,
        reduce_only, stop_percent, target_percent, decided_price, bar_close_at, reason_code
    )
    SELECT gen_random_uuid(), %s, %s, decided.*
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
        %s::text[], %s::bigint[], %s::smallint[], %s::text[], %s::text[], %s::text[],
        %s::numeric[], %s::numeric[], %s::numeric[], %s::bool[], %s::float8[], %s::float8[], %s::numeric[], %s::timestamptz[],
        %s::text[]
    ) AS decided(
        deployment_id, epoch, owner_id, account_id, revision_id, instrument_id, decision_key,
        entry_id, step, leg, side, order_type, quantity, price, trigger_price, reduce_only, stop_percent,
        target_percent, decided_price, bar_close_at, reason_code
    )
    JOIN trading_deployment deployment ON deployment.id = decided.deployment_id
     AND (deployment.epoch = decided.epoch OR decided.reduce_only)
    ON CONFLICT DO NOTHING
"""


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
    """Store decisions in one statement; those that are stored already stay as they are.

    An entry is only stored while its deployment has
    the epoch under which it was decided; exits always are.
    """
    if not decided:
        return
    columns = [list(column) for column in zip(*map(_values, decided), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [IntentStatus.NEW.value, now, *columns])


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


@part_of_transaction
def hasten(waiting: QuerySet[OrderIntent], *, now: datetime) -> None:
    """Let decisions that waited for something go out at once, now that it is over."""
    waiting.filter(status=IntentStatus.NEW, not_before__gt=now).update(not_before=now)


def latest_revision_id(deployment: Deployment) -> int:
    """Return the revision in force, or the last one that was."""
    revisions = DeploymentRevision.objects.filter(deployment=deployment)
    return revisions.order_by("-number").values_list("pk", flat=True)[:1].get()


def _values(decided: Decided) -> tuple[Any, ...]:
    """Return a decision as the columns of ``_INSERT``, in their order."""
    values, deployment = decided.values, decided.deployment
    return (
        deployment.pk,
        deployment.epoch,
        deployment.owner_id,
        deployment.account_id,
        decided.revision_id,
        decided.instrument_id,
        decided.key,
        decided.entry_id,
        decided.step,
        values.leg.value,
        values.side.value,
        values.order_type.value,
        values.quantity,
        values.price,
        values.trigger_price,
        values.reduce_only,
        values.stop_percent,
        values.target_percent,
        decided.decided_price,
        decided.bar_close_at,
        decided.reason[:60],
    )
