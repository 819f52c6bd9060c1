"""Orders that contradict what the exchange says: asked about once more, or closed by an operator.

Nobody makes up fills. What an order has filled is what the venue reports and what is booked.
"""

from datetime import datetime
from typing import Final

from foundation import audit
from foundation.audit import Actor
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market.enums import OrderActor, OrderStatus, Proof
from market.errors import ConflictError, FieldProblem, InvalidInputError
from market.orders import is_permitted
from trading.models import Order
from trading.selectors import markets
from trading.selectors.orders import OrderNotFoundError
from trading.services import orders, protection
from trading.services.operators import checked_note

#: How an operator may end an order under review: it rests no more, all of it has filled, it never
#: reached the venue, or nobody can tell and it is only watched.
CLOSED_AS: Final = frozenset(
    {OrderStatus.CANCELED, OrderStatus.FILLED, OrderStatus.REJECTED, OrderStatus.ABANDONED}
)

#: Where an order is that never reached its venue, or is not known to have.
_NEVER_THERE: Final = frozenset({OrderStatus.REJECTED, OrderStatus.ABANDONED})


class NotUnderReviewError(ConflictError):
    """Only an order that contradicts the exchange's reports waits for an operator."""

    code = "order_not_under_review"

    def __init__(self, order: Order) -> None:
        status = OrderStatus(order.status).value.replace("_", " ").lower()
        super().__init__(f"Order {order.client_order_id} is {status} and needs no operator.")


class HasFilledError(ConflictError):
    """An order of which a part was executed did reach the venue."""

    code = "order_has_filled"

    def __init__(self, order: Order) -> None:
        super().__init__(
            f"{order.filled_quantity.normalize():f} of order {order.client_order_id} is booked as "
            "filled, so it did reach the exchange. Close it as canceled."
        )


class NotFilledError(ConflictError):
    """Filled is what is booked as filled; nobody makes up executions."""

    code = "order_not_filled"

    def __init__(self, order: Order) -> None:
        super().__init__(
            f"Only {order.filled_quantity.normalize():f} of {order.quantity.normalize():f} of order "
            f"{order.client_order_id} is booked as filled. Ask the exchange again first."
        )


class NobodyToAskError(ConflictError):
    """The account has no key any more, or never had one."""

    code = "nobody_to_ask"

    def __init__(self) -> None:
        super().__init__("The account is not connected, so the exchange cannot be asked.")


@transactional
def ask_again(*, order_id: int, by: Actor, now: datetime) -> Order:
    """Let the venue be asked once more for an order under review; its answer is kept as a step.

    Raises OrderNotFoundError, NotUnderReviewError, or NobodyToAskError.
    """
    order = _lock(order_id)
    if order.status != OrderStatus.MANUAL_REVIEW:
        raise NotUnderReviewError(order)
    if markets.is_paper(order.account) or not markets.is_connected(order.account):
        raise NobodyToAskError
    orders.check_again(order, at=now)
    _audit(order, "order.asked_again", by, "")
    enqueue_on_commit("trading.reconcile_account", account_id=order.account_id)
    return order


@transactional
def close(*, order_id: int, closed_as: str, note: str, by: Actor, now: datetime) -> Order:
    """End an order under review as an operator has seen it at the venue; *note* says what was seen.

    REJECTED and ABANDONED hold only if nothing of it filled, FILLED only if all of it is booked. An
    order in doubt may be given up, ABANDONED, before its absence is proven. Raises
    OrderNotFoundError, NotUnderReviewError, HasFilledError, NotFilledError, NoteRequiredError,
    InvalidInputError.
    """
    if closed_as not in CLOSED_AS:
        text = f"Close it as one of {', '.join(sorted(CLOSED_AS))}."
        raise InvalidInputError(text, problems=[FieldProblem("closed_as", "unknown_choice", text)])
    seen = checked_note(note)
    to = OrderStatus(closed_as)
    order = _lock(order_id)
    if not is_permitted(OrderStatus(order.status), to, actor=OrderActor.OPERATOR):
        raise NotUnderReviewError(order)
    if to in _NEVER_THERE and order.filled_quantity:
        raise HasFilledError(order)
    if to is OrderStatus.FILLED and order.filled_quantity < order.quantity:
        raise NotFilledError(order)
    orders.move(
        order,
        to=to,
        actor=OrderActor.OPERATOR,
        proof=Proof.NOTE,
        now=now,
        evidence={"note": seen, "by": by.identifier},
        code=orders.CLOSED_BY_OPERATOR,
        message=seen,
    )
    _audit(order, "order.closed", by, seen)
    protection.follow(order.deployment, instrument_id=order.instrument_id, now=now)
    return order


def _lock(order_id: int) -> Order:
    if not Order.objects.filter(pk=order_id).exists():
        raise OrderNotFoundError
    return orders.lock_order(order_id)


def _audit(order: Order, verb: str, by: Actor, note: str) -> None:
    audit.record(
        actor=by,
        verb=verb,
        target=order,
        owner_id=order.owner_id,
        detail={"status": order.status, "note": note},
    )
