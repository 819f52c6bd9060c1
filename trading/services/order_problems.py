"""Who hears of an order that went wrong, and what its deployment may do meanwhile."""

from datetime import datetime
from typing import Final

from foundation.events import publish
from foundation.transactions import part_of_transaction
from market.enums import OrderStatus
from trading import events
from trading.models import Order
from trading.services import health, notices

#: The reason of an order that an operator has closed by hand.
CLOSED_BY_OPERATOR: Final = "closed_by_operator"

_PROBLEMS: Final = frozenset(
    {
        OrderStatus.REJECTED,
        OrderStatus.UNKNOWN,
        OrderStatus.ABANDONED,
        OrderStatus.MANUAL_REVIEW,
    }
)


@part_of_transaction
def tell(order: Order, *, before: OrderStatus, now: datetime) -> None:
    """Tell of a locked *order* that has just left *before*, if there is something to tell."""
    if before is OrderStatus.MANUAL_REVIEW:
        _review_is_over(order, now=now)
    if OrderStatus(order.status) in _PROBLEMS:
        _tell_problem(order, now=now)


def _review_is_over(order: Order, *, now: datetime) -> None:
    """Let the deployment go on, if no other order of it waits for an operator."""
    others = Order.objects.filter(
        deployment_id=order.deployment_id, status=OrderStatus.MANUAL_REVIEW.value
    )
    if not others.exists():
        health.recover(order.deployment, codes={health.ORDER_UNDER_REVIEW}, now=now)


def _tell_problem(order: Order, *, now: datetime) -> None:
    publish(
        events.ORDER_PROBLEM,
        occurred_at=now,
        owner_id=order.owner_id,
        deployment_id=order.deployment_id,
        order_id=order.pk,
        status=order.status,
        code=order.reason_code,
    )
    if order.status == OrderStatus.REJECTED and order.reason_code != CLOSED_BY_OPERATOR:
        said = order.reason_message or order.reason_code or "it gave no reason"
        notices.tell_order_problem(order, what=f"the exchange refused it: {said}", now=now)
    if order.status == OrderStatus.MANUAL_REVIEW:
        what = "the exchange's reports contradict each other; an operator looks at it."
        notices.tell_order_problem(order, what=what, now=now)
        health.degrade(
            order.deployment,
            code=health.ORDER_UNDER_REVIEW,
            message=f"Order {order.client_order_id} contradicts the exchange's reports.",
            now=now,
        )
