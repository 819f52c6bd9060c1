"""What of an order's row may change, written for many orders in one statement."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import connection
from psycopg.types.json import Jsonb

from foundation.transactions import part_of_transaction
from market.enums import OrderActor, Proof
from trading.models import Order

#: Rows of one statement.
BATCH: Final = 2_000

#: Every column that changes while an order lives, with its type in the database.
_COLUMNS: Final[Mapping[str, str]] = {
    "status": "text",
    "venue_order_id": "text",
    "venue_at": "timestamptz",
    "filled_quantity": "numeric",
    "average_price": "numeric",
    "reason_code": "text",
    "reason_message": "text",
    "finished_at": "timestamptz",
    "next_check_at": "timestamptz",
    "absent_lookups": "smallint",
    "last_lookup_at": "timestamptz",
    "active_at": "timestamptz",
    "step_actor": "text",
    "step_proof": "text",
    "step_evidence": "jsonb",
}

_UPDATE: Final = (
    # Only the names above are put together here; values are arguments.
    "UPDATE trading_order AS kept SET version = kept.version + 1, "  # noqa: S608
    + ", ".join(f"{name} = given.{name}" for name in _COLUMNS)
    + " FROM unnest(%s::bigint[], "
    + ", ".join(f"%s::{kind}[]" for kind in _COLUMNS.values())
    + f") AS given (id, {', '.join(_COLUMNS)}) WHERE kept.id = given.id"
)


def say_step(order: Order, *, actor: OrderActor, proof: Proof, evidence: Mapping[str, Any]) -> None:
    """Note who takes *order* to its new status and why; the database keeps it with the row."""
    order.step_actor, order.step_proof = actor.value, proof.value
    order.step_evidence = dict(evidence)


def forget_step(order: Order) -> None:
    """Empty what was said of a step that is stored: the next one has to say it again."""
    order.step_actor = order.step_proof = ""
    order.step_evidence = None


@part_of_transaction
def store(orders: Sequence[Order]) -> None:
    """Write what has changed of locked *orders*, one statement for thousands of them."""
    for start in range(0, len(orders), BATCH):
        _store_batch(orders[start : start + BATCH])


def _store_batch(orders: Sequence[Order]) -> None:
    columns = [[_value(order, name) for order in orders] for name in _COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [[order.pk for order in orders], *columns])
    for order in orders:
        order.version += 1
        forget_step(order)


def _value(order: Order, name: str) -> Any:
    value = getattr(order, name)
    if name == "step_evidence" and value is not None:
        return Jsonb(value)
    return value
