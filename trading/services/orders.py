"""The write path of orders: every step goes through the table, with its evidence."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings

from exchanges.adapters.protocol import OrderReport
from foundation.events import publish
from foundation.transactions import part_of_transaction
from market.enums import OrderStatus
from market.orders import TERMINAL, TRANSITIONS, advance
from trading import events
from trading.domain import keys, reports
from trading.domain.reports import Step
from trading.models import (
    Deployment,
    IntentStatus,
    Order,
    OrderIntent,
    OrderTransition,
    Reservation,
)
from trading.services import health, notices

#: A cancellation whose answer was lost is asked for again after so many pauses.
_CANCEL_AGAIN_IN_RETRIES: Final = 2

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
def lock_order(order_id: int) -> Order:
    """Return the order with its row and its deployment's locked, the deployment first."""
    deployment_id = Order.objects.values_list("deployment_id", flat=True).get(pk=order_id)
    deployment = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment_id)
    order = (
        Order.objects.select_for_update(of=("self",))
        .select_related("intent", "instrument__venue", "account")
        .get(pk=order_id)
    )
    order.deployment = deployment
    return order


@part_of_transaction
def create(intent: OrderIntent, *, quantity: Decimal, actor: str, now: datetime) -> Order:
    """Make the next attempt of *intent* an order on its way; nothing has been sent yet.

    Its id at the venue follows from the decision and the attempt, so that it is the same again
    after a crash or a restore.
    """
    attempt = Order.objects.filter(intent=intent).count()
    deployment = intent.deployment
    order = Order.objects.create(
        owner_id=intent.owner_id,
        intent=intent,
        attempt=attempt,
        deployment=deployment,
        account_id=intent.account_id,
        instrument=intent.instrument,
        client_order_id=keys.client_order_id(
            salt=settings.INSTALLATION_SALT,
            deployment=deployment.public_id,
            decision=intent.decision_key,
            attempt=attempt,
        ),
        leg=intent.leg,
        side=intent.side,
        order_type=intent.order_type,
        quantity=quantity,
        price=intent.price,
        trigger_price=intent.trigger_price,
        reduce_only=intent.reduce_only,
        submitted_at=now,
        next_check_at=_next_check(OrderStatus.SUBMITTING, now),
    )
    OrderTransition.objects.create(
        owner_id=order.owner_id, order=order, to_status=order.status, actor=actor
    )
    intent.status = IntentStatus.ORDERED
    intent.save(update_fields=["status"])
    return order


@part_of_transaction
def move(
    order: Order,
    *,
    to: OrderStatus,
    actor: str,
    now: datetime,
    evidence: Mapping[str, Any],
    code: str = "",
    message: str = "",
) -> None:
    """Take a locked *order* to another status; raise IllegalTransitionError where there is no way."""
    before = OrderStatus(order.status)
    order.status = advance(before, to).value
    order.version += 1
    order.next_check_at = _next_check(to, now)
    if code or message:
        order.reason_code, order.reason_message = code[:60], message[:300]
    if to in TERMINAL:
        order.finished_at = now
        Reservation.objects.filter(intent_id=order.intent_id, released_at=None).update(
            released_at=now
        )
    order.save()
    OrderTransition.objects.create(
        owner_id=order.owner_id,
        order=order,
        from_status=before.value,
        to_status=to.value,
        actor=actor,
        evidence=dict(evidence),
    )
    if before is OrderStatus.MANUAL_REVIEW:
        _review_is_over(order, now=now)
    if to in _PROBLEMS:
        _tell_problem(order, now=now)


@part_of_transaction
def apply_report(
    order: Order,
    *,
    report: OrderReport,
    actor: str,
    now: datetime,
    evidence: Mapping[str, Any],
    message: str = "",
) -> Step:
    """Take a locked *order* as far as the venue's *report* and our booked fills bear out."""
    if order.venue_order_id and report.venue_order_id != order.venue_order_id:
        evidence = {**evidence, "contradiction": f"venue order {report.venue_order_id}"}
        if OrderStatus.MANUAL_REVIEW in TRANSITIONS[OrderStatus(order.status)]:
            move(
                order,
                to=OrderStatus.MANUAL_REVIEW,
                actor=actor,
                now=now,
                evidence=evidence,
                code="contradicting_reports",
                message="The exchange reports two orders for one of ours.",
            )
        return Step(None)
    order.venue_order_id = report.venue_order_id
    order.venue_at = report.venue_at
    order.absent_lookups = 0
    step = reports.step_for_report(
        OrderStatus(order.status),
        quantity=order.quantity,
        filled=order.filled_quantity,
        reported=report.status,
        reported_filled=report.filled_quantity,
    )
    if step.status is None:
        order.save()
    else:
        detail = {
            **evidence,
            "reported": report.status.value,
            "filled": str(report.filled_quantity),
        }
        move(order, to=step.status, actor=actor, now=now, evidence=detail, message=message)
    if step.awaits_fills:
        check_again(order, at=now)
    return step


@part_of_transaction
def request_cancel(order: Order, *, actor: str, now: datetime, why: str) -> None:
    """Mark a resting, locked *order* to be canceled; whoever serves the account sends it."""
    move(order, to=OrderStatus.PENDING_CANCEL, actor=actor, now=now, evidence={"why": why})


@part_of_transaction
def check_again(order: Order, *, at: datetime) -> None:
    """Note when an unfinished *order* has to be looked at again."""
    order.next_check_at = at
    order.save(update_fields=["next_check_at"])


@part_of_transaction
def note_evidence(order: Order, *, actor: str, evidence: Mapping[str, Any]) -> None:
    """Keep what was heard of a locked *order* that stays where it is."""
    OrderTransition.objects.create(
        owner_id=order.owner_id,
        order=order,
        from_status=order.status,
        to_status=order.status,
        actor=actor,
        evidence=dict(evidence),
    )


@part_of_transaction
def cancel_was_sent(order: Order, *, now: datetime) -> None:
    """Note that a cancellation is on its way, so that it is not sent twice at once."""
    pause_s = _CANCEL_AGAIN_IN_RETRIES * settings.HORIZONS.retry_s
    check_again(order, at=now + timedelta(seconds=pause_s))


def _next_check(status: OrderStatus, now: datetime) -> datetime | None:
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
