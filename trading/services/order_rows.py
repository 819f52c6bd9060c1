"""What of an order's row may change, written for many orders in one statement."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import connection
from django.db.models import NOT_PROVIDED
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

_DOCUMENTS: Final = frozenset({"step_evidence", "balance_before"})

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
def insert(orders: Sequence[Order]) -> None:
    """Write new *orders* and give them their keys, one statement for thousands of them.

    Each column goes as one array. ``bulk_create`` would write a value of each row on its own, for
    the time of creation is the database's.
    """
    fields = [
        field
        for field in Order._meta.concrete_fields
        if not field.primary_key and field.db_default is NOT_PROVIDED
    ]
    names = ", ".join(str(field.column) for field in fields)
    arrays = ", ".join(f"%s::{field.db_type(connection)}[]" for field in fields)
    # Only names and types of columns are put together here; values are arguments.
    statement = (
        f"INSERT INTO trading_order ({names}) SELECT {names} FROM unnest({arrays})"  # noqa: S608
        f" AS given ({names}) RETURNING intent_id, attempt, id"
    )
    for start in range(0, len(orders), BATCH):
        batch = orders[start : start + BATCH]
        columns = [[_value(order, field.attname) for order in batch] for field in fields]
        with connection.cursor() as cursor:
            cursor.execute(statement, columns)
            ids = {(intent_id, attempt): pk for intent_id, attempt, pk in cursor.fetchall()}
        for order in batch:
            order.pk = ids[order.intent_id, order.attempt]
            # As Django does after its own inserts.
            order._state.adding, order._state.db = False, connection.alias  # noqa: SLF001
            forget_step(order)


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
    if name in _DOCUMENTS and value is not None:
        return Jsonb(value)
    return value
