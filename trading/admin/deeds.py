"""What operators may do to deployments and orders of others; services do it, with an audit row."""

from collections.abc import Mapping
from typing import Any, Final

from foundation.admin import Deed
from foundation.admin.deeds import now
from foundation.audit import Actor
from market.enums import OrderStatus
from trading.admin.forms import CloseOrderForm, NoteForm, OptionalNoteForm
from trading.models import Deployment, Order
from trading.selectors.deployments import ENDED_STATES
from trading.services import operators, reviews

Values = Mapping[str, Any]


def _force_stop(deployment: Deployment, by: Actor, values: Values) -> None:
    operators.force_stop(deployment_id=deployment.pk, by=by, now=now(), note=values["note"])


def _restart(deployment: Deployment, by: Actor, values: Values) -> None:
    operators.restart(deployment_id=deployment.pk, by=by, now=now(), note=values["note"])


def _ask_again(order: Order, by: Actor, _: Values) -> None:
    reviews.ask_again(order_id=order.pk, by=by, now=now())


def _close(order: Order, by: Actor, values: Values) -> None:
    reviews.close(
        order_id=order.pk,
        closed_as=values["closed_as"],
        note=values["note"],
        by=by,
        now=now(),
    )


def _has_ended(deployment: Deployment) -> bool:
    return deployment.actual_state in ENDED_STATES


def _is_under_review(order: Order) -> bool:
    return order.status == OrderStatus.MANUAL_REVIEW


def _may_be_closed(order: Order) -> bool:
    return order.status in {OrderStatus.MANUAL_REVIEW, OrderStatus.UNKNOWN}


DEPLOYMENT_DEEDS: Final = (
    Deed(
        name="force-stop",
        label="Force stop",
        done="stopping",
        text=(
            "It loses the right to open anything at once. Its own stop policy runs: the position is "
            "closed at the market, or left to its owner with the stop that rests at the exchange."
        ),
        permission="trading.change_deployment",
        perform=_force_stop,
        form=NoteForm,
        applies_to=lambda deployment: not _has_ended(deployment),
        is_dangerous=True,
    ),
    Deed(
        name="restart",
        label="Start again",
        done="starting again",
        text=(
            "It decides again from the next bar that closes, once its account has been compared with "
            "the exchange. Its owner has to be active and subscribed, with room in the plan."
        ),
        permission="trading.change_deployment",
        perform=_restart,
        form=OptionalNoteForm,
        applies_to=_has_ended,
    ),
)

ORDER_DEEDS: Final = (
    Deed(
        name="ask-again",
        label="Ask the exchange again",
        done="being asked about",
        text=(
            "The exchange is asked for this order once more. What it says is kept among the steps, and "
            "fills that it reports are booked."
        ),
        permission="trading.change_order",
        perform=_ask_again,
        applies_to=_is_under_review,
    ),
    Deed(
        name="close",
        label="Close as seen",
        done="closed",
        text=(
            "For an order of which the exchange says nothing usable any more. Look there first: this "
            "books no fills, and entries beside it are possible again afterwards. One that is only "
            "in doubt can be given up, nothing else."
        ),
        permission="trading.change_order",
        perform=_close,
        form=CloseOrderForm,
        applies_to=_may_be_closed,
        for_list=False,
        is_dangerous=True,
    ),
)
