"""A decision as the row of an order that is on its way, and when an order is looked at next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from market.enums import OrderActor, OrderStatus, Proof
from market.orders import advance
from trading.domain import keys
from trading.models import Order, OrderIntent
from trading.services import order_rows


@dataclass(frozen=True, slots=True)
class Planned:
    """The next attempt of an intent, with the quantity that is to be sent."""

    intent: OrderIntent
    quantity: Decimal
    #: The number of the attempt, if it is not the one after those that are stored.
    attempt: int | None = None


def new_order(
    planned: Planned,
    *,
    attempt: int,
    now: datetime,
    step: tuple[OrderActor, Proof, Mapping[str, Any]],
) -> Order:
    """Return the row of the next attempt, which is not stored yet."""
    intent = planned.intent
    actor, proof, evidence = step
    advance(None, OrderStatus.SUBMITTING, actor=actor, proof=proof, evidence=evidence)
    order = Order(
        owner_id=intent.owner_id,
        intent=intent,
        attempt=attempt,
        deployment=intent.deployment,
        account_id=intent.account_id,
        instrument=intent.instrument,
        client_order_id=keys.client_order_id(
            salt=settings.INSTALLATION_SALT,
            deployment=intent.deployment.public_id,
            decision=intent.decision_key,
            attempt=attempt,
        ),
        leg=intent.leg,
        side=intent.side,
        order_type=intent.order_type,
        quantity=planned.quantity,
        price=intent.price,
        trigger_price=intent.trigger_price,
        reduce_only=intent.reduce_only,
        submitted_at=now,
        active_at=now,
        next_check_at=next_check(OrderStatus.SUBMITTING, now=now),
    )
    order_rows.say_step(order, actor=actor, proof=proof, evidence=evidence)
    return order


def next_check(status: OrderStatus, *, now: datetime) -> datetime | None:
    """Return when an order that has just become *status* is looked at again; None for never."""
    horizons = settings.HORIZONS
    match status:
        case OrderStatus.SUBMITTING:
            return now + timedelta(seconds=horizons.submitting_s)
        case OrderStatus.UNKNOWN | OrderStatus.PENDING_CANCEL:
            return now
        case OrderStatus.ACCEPTED | OrderStatus.PARTIALLY_FILLED:
            return now + timedelta(seconds=horizons.reconcile_s)
        case OrderStatus.ABANDONED:
            return now + timedelta(seconds=horizons.absence_s)
        case _:
            return None
