"""Answers to many orders booked at once: what was accepted, and what filled with the answer.

The same steps as for one order, in the same words, with a number of statements that does not grow
with the orders. Whoever calls has locked them with their deployments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.models import F

from exchanges.adapters.protocol import FillReport, OrderReport
from foundation.crashpoints import crashpoint
from foundation.events import publish_many
from foundation.transactions import part_of_transaction
from market.enums import OrderActor, OrderStatus, Proof
from market.orders import TERMINAL
from trading import events
from trading.models import Deployment, DeploymentPosition, Fill, Order
from trading.services import fills, order_rows, orders
from trading.services.orders import Move

_COLUMNS: Final[Mapping[str, str]] = {
    "quantity": "numeric",
    "average_price": "numeric",
    "realized_pnl": "numeric",
    "fees": "numeric",
    "last_price": "numeric",
    "last_price_at": "timestamptz",
    "opened_at": "timestamptz",
    "entry_id": "bigint",
    "version": "bigint",
}
_STORE_POSITIONS: Final = (
    # Only the names above are put together here; values are arguments.
    "UPDATE trading_deploymentposition AS kept SET "  # noqa: S608
    + ", ".join(f"{name} = given.{name}" for name in _COLUMNS)
    + " FROM unnest(%s::bigint[], "
    + ", ".join(f"%s::{kind}[]" for kind in _COLUMNS.values())
    + f") AS given (id, {', '.join(_COLUMNS)}) WHERE kept.id = given.id"
)


@dataclass(frozen=True, slots=True)
class Answered:
    """An order on its way, and what its venue has answered."""

    order: Order
    report: OrderReport
    fills: Sequence[FillReport]
    evidence: Mapping[str, Any]


@part_of_transaction
def book(answered: Sequence[Answered], *, now: datetime) -> set[int]:
    """Record that locked orders were accepted, and what has filled of them already.

    Returns the orders that were dealt with; what was said of the others is not plain, and nothing of
    them is changed.
    """
    moved = orders.accept_many(
        [(each.order, each.report, each.evidence) for each in answered], now=now
    )
    taken = [each for each in answered if each.order.pk in moved]
    filled = [each for each in taken if each.fills]
    if filled:
        _book_fills(filled, now)
    for each in taken:
        if OrderStatus(each.order.status) not in TERMINAL:
            _see_to_rest(each, now)
    return moved


def _see_to_rest(each: Answered, now: datetime) -> None:
    """Say when an order that goes on is looked at again, or how it ended if the answer told that too."""
    actor = orders.speaker(each.order)
    if each.order.filled_quantity and actor is not None:
        orders.apply_report(
            each.order, report=each.report, actor=actor, now=now, evidence=each.evidence
        )
    elif each.report.filled_quantity > each.order.filled_quantity:
        orders.check_again(each.order, at=now)


def _book_fills(filled: Sequence[Answered], now: datetime) -> None:
    known = set(
        Fill.objects.filter(
            account__in={each.order.account_id for each in filled},
            venue_trade_id__in=[fill.venue_trade_id for each in filled for fill in each.fills],
        ).values_list("account_id", "instrument_id", "venue_trade_id", "side")
    )
    positions = _lock_positions([each.order for each in filled])
    # The executions of one order follow one another; those of different orders go together.
    for number in range(max(len(each.fills) for each in filled)):
        part = [
            (each.order, each.fills[number])
            for each in filled
            if number < len(each.fills)
            and each.fills[number].venue_order_id == each.order.venue_order_id
            and _key_of(each.order, each.fills[number]) not in known
        ]
        if part:
            _book_round(part, positions, now)


def _book_round(
    part: Sequence[tuple[Order, FillReport]],
    positions: Mapping[tuple[int, int], DeploymentPosition],
    now: datetime,
) -> None:
    made: list[Fill] = []
    moves: list[Move] = []
    others: list[Order] = []
    for order, report in part:
        row = positions[(order.deployment_id, order.instrument_id)]
        fill, after = fills.execution(order, row=row, report=report)
        made.append(fill)
        fills.move_position(row, order=order, after=after, report=report)
        _move(order, report, moves, others, now)
    Fill.objects.bulk_create(made)
    crashpoint("fills.inserted")
    _store_positions(
        {row.pk: row for row in (positions[(o.deployment_id, o.instrument_id)] for o, _ in part)}
    )
    orders.move_many(moves, now=now)
    order_rows.store(others)
    for order, report in part:
        if OrderStatus(order.status) not in TERMINAL:
            fills.shrink_reservation(order, by=report.quantity, now=now)
    deployment_ids = {order.deployment_id for order, _ in part}
    Deployment.objects.filter(pk__in=deployment_ids).update(version=F("version") + 1)
    publish_many(
        events.FILL_RECORDED,
        occurred_at=now,
        told=[
            (fill.owner_id, {"deployment_id": fill.deployment_id, "fill_id": fill.pk})
            for fill in made
        ],
    )
    crashpoint("fills.booked")


def _move(
    order: Order, report: FillReport, moves: list[Move], others: list[Order], now: datetime
) -> None:
    actor = orders.speaker(order) or OrderActor.VENUE
    step, evidence = fills.add_to_order(order, report=report, actor=actor, now=now)
    if step.contradiction:
        reviewed = orders.review(
            order,
            contradiction=step.contradiction,
            evidence=evidence,
            message="The exchange reports executions that this order cannot have.",
            now=now,
        )
        if reviewed:
            return
    if step.status is None or step.contradiction:
        others.append(order)
        return
    moves.append(
        Move(
            order=order,
            to=step.status,
            actor=actor,
            proof=Proof.VENUE_RECORD,
            evidence=evidence,
        )
    )


def _key_of(order: Order, report: FillReport) -> tuple[int, int, str, str]:
    return (order.account_id, order.instrument_id, report.venue_trade_id, report.side.value)


def _lock_positions(found: Sequence[Order]) -> dict[tuple[int, int], DeploymentPosition]:
    places = {(order.deployment_id, order.instrument_id): order for order in found}
    # The deployments' locks are held, so nobody else creates the rows meanwhile.
    DeploymentPosition.objects.bulk_create(
        [
            DeploymentPosition(
                owner_id=order.owner_id,
                deployment_id=order.deployment_id,
                instrument_id=order.instrument_id,
                quantity=Decimal(0),
            )
            for order in places.values()
        ],
        ignore_conflicts=True,
    )
    rows = (
        DeploymentPosition.objects.select_for_update(of=("self",))
        .filter(deployment__in={deployment_id for deployment_id, _ in places})
        .order_by("pk")
    )
    return {(row.deployment_id, row.instrument_id): row for row in rows}


def _store_positions(rows: Mapping[int, DeploymentPosition]) -> None:
    columns = [[getattr(row, name) for row in rows.values()] for name in _COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(_STORE_POSITIONS, [list(rows), *columns])
