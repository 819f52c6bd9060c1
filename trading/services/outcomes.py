"""What the step of a bar has led to, as rows: for any deployment, on paper or at a venue."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db import connection
from django.db.models import F
from psycopg.types.json import Jsonb

from foundation.transactions import part_of_transaction
from market import money
from market.enums import Leg
from market.orders import KernelOrder
from strategies.reasons import ReasonCode
from trading.domain import kernel, keys
from trading.models import ActualState, Deployment, DeploymentDecision
from trading.selectors import markets
from trading.services.frames import GroupBar
from trading.services.intents import Decided

if TYPE_CHECKING:
    from exchanges.models import Instrument

_INSERT_DECISIONS: Final = """
    INSERT INTO trading_deploymentdecision
           (owner_id, deployment_id, revision_id, instrument_id, bar_close_at, reason, detail)
    SELECT own.*, '{}'::jsonb
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[],
                %s::text[]) AS own(owner_id, deployment_id, revision_id, instrument_id, at, reason)
    ON CONFLICT (deployment_id, instrument_id, bar_close_at) DO NOTHING
"""
_UPDATE_MARKS: Final = """
    UPDATE trading_deploymentinstrument SET marks = seen.marks, last_bar_close_at = seen.at
    FROM unnest(%s::bigint[], %s::jsonb[], %s::timestamptz[]) AS seen(id, marks, at)
    WHERE trading_deploymentinstrument.id = seen.id
"""


class Remembered(NamedTuple):
    """What a deployment's row for an instrument is to say: its marks, and the bar they are of."""

    row_id: int
    marks: dict[str, Any]
    cursor: datetime | None


def decided(
    instrument: "Instrument",
    *,
    deployment: Deployment,
    each: GroupBar,
    orders: Iterable[KernelOrder],
    revision_id: int,
    entry_id: int | None,
    target_step: int = 0,
) -> list[Decided]:
    """Return *orders* of the kernel as decisions to order; *entry_id* is what opened the position."""
    return [
        Decided(
            deployment=deployment,
            revision_id=revision_id,
            instrument_id=instrument.pk,
            key=keys.decision_key(
                revision_id=revision_id,
                instrument_id=instrument.pk,
                bar_close_ms=each.close_ms,
                leg=order.leg,
                step=target_step if order.leg is Leg.TARGET else 0,
            ),
            values=kernel.to_intent_values(order, steps=markets.steps_of(instrument)),
            decided_price=money.decimal_of(each.bar.close),
            bar_close_at=each.closed_at,
            reason=order.reason,
            entry_id=entry_id if order.reduce_only else None,
            step=target_step if order.leg is Leg.TARGET else 0,
        )
        for order in orders
    ]


def decision(
    instrument: "Instrument",
    *,
    deployment: Deployment,
    each: GroupBar,
    reason: ReasonCode,
    revision_id: int,
) -> DeploymentDecision:
    """Return the row that says why a deployment did not do what its group's row says."""
    return DeploymentDecision(
        owner_id=deployment.owner_id,
        deployment_id=deployment.pk,
        revision_id=revision_id,
        instrument_id=instrument.pk,
        bar_close_at=each.closed_at,
        reason=reason.value,
    )


@part_of_transaction
def write_decisions(rows: Sequence[DeploymentDecision]) -> None:
    """Store decisions in one statement; those that are stored already stay as they are."""
    if not rows:
        return
    names = ("owner_id", "deployment_id", "revision_id", "instrument_id", "bar_close_at", "reason")
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_DECISIONS, [[getattr(row, name) for row in rows] for name in names])


@part_of_transaction
def remember(rows: Sequence[Remembered]) -> None:
    """Store marks and cursors in one statement."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _UPDATE_MARKS,
            [
                [row.row_id for row in rows],
                [Jsonb(row.marks) for row in rows],
                [row.cursor for row in rows],
            ],
        )


@part_of_transaction
def begin(deployment_ids: Sequence[int]) -> None:
    """Let paper deployments run from their first bar on: there is nothing to compare them with."""
    if deployment_ids:
        Deployment.objects.filter(pk__in=deployment_ids).update(
            actual_state=ActualState.RUNNING, version=F("version") + 1
        )
