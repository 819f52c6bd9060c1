"""The write path of orders: every step goes through the table, with its actor and evidence.

Nobody else writes a status. Many orders are made, or moved, in as many statements as one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db.models import Count

from exchanges.adapters.protocol import OrderReport
from foundation.transactions import part_of_transaction
from market.enums import OrderActor, OrderStatus, Proof
from market.orders import TERMINAL, advance, is_permitted
from trading.domain import reports
from trading.domain.reports import Step
from trading.models import (
    Deployment,
    IntentStatus,
    Order,
    OrderIntent,
    OrderTransition,
    Reservation,
)
from trading.services import absence, intents, order_plans, order_problems, order_rows
from trading.services.order_plans import Planned

#: A cancellation whose answer was lost is asked for again after so many pauses.
_CANCEL_AGAIN_IN_RETRIES: Final = 2

#: Something else may wait for the end of these.
_WAITED_FOR: Final = frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.UNKNOWN})

#: The reason of an order that an operator has closed by hand.
CLOSED_BY_OPERATOR: Final = order_problems.CLOSED_BY_OPERATOR

_CONTRADICTING: Final = "contradicting_reports"

#: The venue knows two orders where we have one: ``triggers`` counts these.
SECOND_ORDER: Final = "second_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One step of a locked order; what else has changed of the row is stored with it."""

    order: Order
    to: OrderStatus
    actor: OrderActor
    proof: Proof
    evidence: Mapping[str, Any]
    code: str = ""
    message: str = ""


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
def lock_orders(order_ids: Collection[int]) -> dict[int, Order]:
    """Return orders with their rows and their deployments' locked, the deployments first."""
    known = Order.objects.filter(pk__in=order_ids)
    deployments = {
        row.pk: row
        for row in Deployment.objects.select_for_update(of=("self",))
        .filter(pk__in=known.values("deployment_id"))
        .select_related("account__venue", "owner")
        .order_by("pk")
    }
    rows = known.select_for_update(of=("self",)).select_related(
        "intent", "instrument__venue", "account"
    )
    found = {order.pk: order for order in rows.order_by("pk")}
    for order in found.values():
        order.deployment = deployments[order.deployment_id]
    return found


@part_of_transaction
def create(intent: OrderIntent, *, quantity: Decimal, now: datetime) -> Order:
    """Make the next attempt of *intent* an order on its way; nothing has been sent yet."""
    return create_many([Planned(intent, quantity)], now=now)[0]


@part_of_transaction
def create_many(
    planned: Sequence[Planned],
    *,
    now: datetime,
    actor: OrderActor = OrderActor.SUBMITTER,
    proof: Proof = Proof.CLAIM,
    evidence: Mapping[str, Any] | None = None,
) -> list[Order]:
    """Make the next attempts of intents orders on their way, in three statements for all of them.

    Their ids at the venue follow from decision and attempt, so that they are the same again after a
    crash or a restore. An intent may be named once.
    """
    intent_ids = [each.intent.pk for each in planned]
    attempts = dict(
        Order.objects.filter(intent_id__in=intent_ids)
        .values_list("intent_id")
        .annotate(Count("pk"))
        .order_by()
    )
    made = [
        order_plans.new_order(
            each,
            attempt=attempts.get(each.intent.pk, 0) if each.attempt is None else each.attempt,
            now=now,
            step=(actor, proof, evidence or {"epoch": each.intent.epoch}),
        )
        for each in planned
    ]
    absence.note_before(made)
    order_rows.insert(made)
    OrderIntent.objects.filter(pk__in=intent_ids).update(status=IntentStatus.ORDERED)
    for order in made:
        order.intent.status = IntentStatus.ORDERED
    return made


@part_of_transaction
def move(
    order: Order,
    *,
    to: OrderStatus,
    actor: OrderActor,
    proof: Proof,
    now: datetime,
    evidence: Mapping[str, Any],
    code: str = "",
    message: str = "",
) -> None:
    """Take a locked *order* to another status.

    Raises IllegalTransitionError, ForbiddenActorError or MissingEvidenceError, and changes nothing,
    where there is no way, not for this actor, or not on this evidence.
    """
    step = Move(
        order=order,
        to=to,
        actor=actor,
        proof=proof,
        evidence=evidence,
        code=code,
        message=message,
    )
    move_many([step], now=now)


@part_of_transaction
def move_many(moves: Sequence[Move], *, now: datetime) -> None:
    """Take locked orders to other statuses, in one statement for all of them.

    Each order may be named once. Raises what ``move`` raises, before anything is changed.
    """
    sources = [OrderStatus(each.order.status) for each in moves]
    for each, source in zip(moves, sources, strict=True):
        advance(source, each.to, actor=each.actor, proof=each.proof, evidence=each.evidence)
    freed = []
    for each in moves:
        order = each.order
        order.status = each.to.value
        order.next_check_at = order_plans.next_check(each.to, now=now)
        order.active_at = now
        if each.code or each.message:
            order.reason_code, order.reason_message = each.code[:60], each.message[:300]
        if each.to in TERMINAL:
            order.finished_at = now
            if not order.reduce_only:
                freed.append(order.intent_id)
        order_rows.say_step(order, actor=each.actor, proof=each.proof, evidence=each.evidence)
    order_rows.store([each.order for each in moves])
    if freed:
        # Only what opens a position has something set aside for it.
        Reservation.objects.filter(intent_id__in=freed, released_at=None).update(released_at=now)
    _let_go_on(moves, sources, now)
    for each, source in zip(moves, sources, strict=True):
        order_problems.tell(each.order, before=source, now=now)


def _let_go_on(moves: Sequence[Move], sources: Sequence[OrderStatus], now: datetime) -> None:
    """Let what has waited for orders to end go out at once."""
    for each, source in zip(moves, sources, strict=True):
        if source in _WAITED_FOR and each.to in TERMINAL:
            waiting = OrderIntent.objects.filter(
                deployment=each.order.deployment_id, instrument=each.order.instrument_id
            )
            intents.hasten(waiting, now=now)


@part_of_transaction
def review(
    order: Order,
    *,
    contradiction: str,
    evidence: Mapping[str, Any],
    message: str,
    now: datetime,
    code: str = _CONTRADICTING,
) -> bool:
    """Leave a locked *order* that contradicts its venue to an operator; False if it cannot be.

    Whoever heard of the contradiction, to find one is the reconciler's part.
    """
    here = OrderStatus(order.status)
    actor = OrderActor.RECONCILER
    if not is_permitted(here, OrderStatus.MANUAL_REVIEW, actor=actor):
        return False
    move(
        order,
        to=OrderStatus.MANUAL_REVIEW,
        actor=actor,
        proof=Proof.CONTRADICTION,
        now=now,
        evidence={**evidence, "contradiction": contradiction},
        code=code,
        message=message,
    )
    return True


@part_of_transaction
def apply_report(
    order: Order,
    *,
    report: OrderReport,
    actor: OrderActor,
    now: datetime,
    evidence: Mapping[str, Any],
    message: str = "",
) -> Step:
    """Take a locked *order* as far as the venue's *report* and our booked fills bear out."""
    evidence = {**evidence, **_told_by(report)}
    if order.venue_order_id and report.venue_order_id != order.venue_order_id:
        review(
            order,
            contradiction=f"venue order {report.venue_order_id}",
            evidence=evidence,
            message="The exchange reports two orders for one of ours.",
            now=now,
            code=SECOND_ORDER,
        )
        return Step(None)
    step = reports.step_for_report(
        OrderStatus(order.status),
        quantity=order.quantity,
        filled=order.filled_quantity,
        reported=report.status,
        reported_filled=report.filled_quantity,
        actor=actor,
        is_recent=is_recent(order, now=now),
    )
    order.venue_order_id = report.venue_order_id
    order.venue_at = report.venue_at
    order.absent_lookups = 0
    if step.contradiction:
        review(
            order,
            contradiction=step.contradiction,
            evidence=evidence,
            message="What the exchange says of this order contradicts what it said before.",
            now=now,
        )
    elif step.status is not None:
        move(
            order,
            to=step.status,
            actor=actor,
            proof=Proof.VENUE_RECORD,
            now=now,
            evidence=evidence,
            message=message,
        )
    if step.status is None:
        order_rows.store([order])
    if step.awaits_fills:
        check_again(order, at=now)
    return step


@part_of_transaction
def accept_many(
    answered: Sequence[tuple[Order, OrderReport, Mapping[str, Any]]], *, now: datetime
) -> set[int]:
    """Take locked orders on their way as far as the answers to them bear out, in one statement.

    Each answer is a report with the evidence of it. Returns the orders that were moved; of the others
    nothing is changed, for what was said of them is not plain.
    """
    moves = []
    for order, report, evidence in answered:
        step = reports.step_for_report(
            OrderStatus(order.status),
            quantity=order.quantity,
            filled=order.filled_quantity,
            reported=report.status,
            reported_filled=report.filled_quantity,
            actor=OrderActor.SUBMITTER,
            is_recent=is_recent(order, now=now),
        )
        if step.status is None or step.contradiction:
            continue
        order.venue_order_id, order.venue_at = report.venue_order_id, report.venue_at
        order.absent_lookups = 0
        moves.append(
            Move(
                order=order,
                to=step.status,
                actor=OrderActor.SUBMITTER,
                proof=Proof.VENUE_RECORD,
                evidence={**evidence, **_told_by(report)},
            )
        )
    move_many(moves, now=now)
    return {each.order.pk for each in moves}


def speaker(order: Order) -> OrderActor | None:
    """Return as whom the holder of a venue's answer may speak of *order* now, None if not at all."""
    return reports.speaker(OrderStatus(order.status))


def is_recent(order: Order, *, now: datetime) -> bool:
    """Tell whether *order* moved or filled so lately that a venue's list may not show it yet."""
    recent = timedelta(seconds=settings.HORIZONS.recent_s)
    return order.active_at is not None and now - order.active_at < recent


@part_of_transaction
def request_cancel(order: Order, *, actor: OrderActor, now: datetime, why: str) -> None:
    """Mark a resting, locked *order* to be canceled; whoever serves the account sends it."""
    move(
        order,
        to=OrderStatus.PENDING_CANCEL,
        actor=actor,
        proof=Proof.COMMAND,
        now=now,
        evidence={"why": why},
    )


@part_of_transaction
def check_again(order: Order, *, at: datetime) -> None:
    """Note when an unfinished *order* has to be looked at again."""
    order.next_check_at = at
    order.save(update_fields=["next_check_at"])


@part_of_transaction
def note_evidence(order: Order, *, actor: OrderActor, evidence: Mapping[str, Any]) -> None:
    """Keep what was heard of a locked *order* that stays where it is."""
    OrderTransition.objects.create(
        owner_id=order.owner_id,
        order=order,
        from_status=order.status,
        to_status=order.status,
        actor=actor.value,
        evidence=dict(evidence),
    )


@part_of_transaction
def cancels_were_sent(due: Iterable[Order], *, now: datetime) -> None:
    """Note that cancellations are on their way, so that none is sent twice at once."""
    pause_s = _CANCEL_AGAIN_IN_RETRIES * settings.HORIZONS.retry_s
    rows = Order.objects.filter(pk__in=[order.pk for order in due])
    rows.update(next_check_at=now + timedelta(seconds=pause_s))


def _told_by(report: OrderReport) -> dict[str, str]:
    return {
        "venue_order_id": report.venue_order_id,
        "reported": report.status.value,
        "filled": str(report.filled_quantity),
    }
