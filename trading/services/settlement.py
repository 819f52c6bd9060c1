"""The transaction after the wire: what an answer, or the lack of one, makes of an order."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError

from exchanges.adapters.protocol import OrderReport, Outcome, OutcomeKind
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market.enums import OrderActor, OrderStatus, Proof
from market.errors import PlatformError
from market.orders import is_permitted
from trading.models import Order
from trading.selectors import markets
from trading.services import (
    bookings,
    exits,
    fills,
    intents,
    notices,
    opened,
    orders,
    swap_settings,
    venues,
)
from trading.services.bookings import Answered
from trading.services.venues import Call, Cancellation, Submission

logger = logging.getLogger(__name__)

#: What an answer that does not fit its rows may raise.
_UNWRITABLE: Final = (DatabaseError, PlatformError, ArithmeticError, LookupError, ValueError)

#: Answers that are written in one transaction.
_TOGETHER: Final = 50

#: The code of a call that waited for its turn in vain.
_NO_ROOM: Final = "rate_limited"


def settle_many(answers: Sequence[tuple[Call, Outcome]], *, now: datetime) -> None:
    """Record what is proven about calls, many in one transaction; what is not leaves orders UNKNOWN."""
    for start in range(0, len(answers), _TOGETHER):
        part = answers[start : start + _TOGETHER]
        try:
            _settle_together(part, now=now)
        except _UNWRITABLE:
            # One answer that cannot be written must not take the others with it: each for itself then.
            logger.exception("settlement.one_by_one", extra={"answers": len(part)})
            _settle_one_by_one(part, now)


def _settle_one_by_one(answers: Sequence[tuple[Call, Outcome]], now: datetime) -> None:
    for call, outcome in answers:
        try:
            _settle_together([(call, outcome)], now=now)
        except _UNWRITABLE:
            # The order has its row: reconciliation asks what became of it.
            logger.exception("settlement.failed", extra={"order_id": call.order_id})


@transactional
def _settle_together(answers: Sequence[tuple[Call, Outcome]], *, now: datetime) -> None:
    crashpoint("submission.settling")
    found = orders.lock_orders([call.order_id for call, _ in answers])
    plain = [
        Answered(found[call.order_id], outcome.report, outcome.fills, _evidence(outcome))
        for call, outcome in answers
        if outcome.report is not None and _is_plain(call, outcome, found[call.order_id])
    ]
    booked = bookings.book(plain, now=now)
    for call, outcome in answers:
        order = found[call.order_id]
        if isinstance(call, Cancellation):
            _settle_cancellation(order, outcome, now)
        elif order.pk not in booked:
            _settle_submission(order, call.request.symbol, outcome, now)
        if isinstance(call, Submission):
            _note_margin(order, call, outcome, now)
    opened.follow_many(
        {(order.deployment_id, order.instrument_id) for order in found.values()},
        deployments={order.deployment_id: order.deployment for order in found.values()},
        now=now,
    )
    crashpoint("submission.state_written")


def _is_plain(call: Call, outcome: Outcome, order: Order) -> bool:
    """Tell whether an answer is the first word on an order, and a good one."""
    return (
        isinstance(call, Submission)
        and outcome.kind is OutcomeKind.DONE
        and _is_about(outcome.report, order, call.request.symbol)
        and order.status == OrderStatus.SUBMITTING
        and order.venue_order_id == ""
        and order.filled_quantity == 0
    )


def _settle_submission(order: Order, symbol: str, outcome: Outcome, now: datetime) -> None:
    evidence = _evidence(outcome)
    match outcome.kind:
        case OutcomeKind.DONE if _is_about(outcome.report, order, symbol):
            apply_answer(order, outcome=outcome, now=now)
        case OutcomeKind.REJECTED:
            _move(order, OrderStatus.REJECTED, Proof.REFUSAL, outcome, evidence, now)
        case OutcomeKind.NOT_SENT:
            _move(order, OrderStatus.DENIED, Proof.NOT_SENT, outcome, evidence, now)
            _queue_again(order, outcome, now)
        case _:
            _move(order, OrderStatus.UNKNOWN, Proof.NO_PROOF, outcome, evidence, now)
            _look_up(order, at=now + timedelta(seconds=settings.HORIZONS.retry_s))


def _note_margin(order: Order, call: Submission, outcome: Outcome, now: datetime) -> None:
    """Remember how orders for a swap are margined from now on, or tell why the venue refused it."""
    if outcome.code == venues.MARGIN_NOT_SET:
        notices.tell_order_problem(order, what=f"it was not sent. {outcome.message}", now=now)
    elif call.margin is not None and outcome.kind is not OutcomeKind.NOT_SENT:
        swap_settings.remember(order, terms=call.margin, now=now)


def _queue_again(order: Order, outcome: Outcome, now: datetime) -> None:
    """Let an order that was not sent be tried again where no other rule does.

    That is an entry for which there was no room at the venue, as long as its bar is not too old, and
    an exit on paper. What gets out of a position at a venue, or protects it, is followed there.
    """
    if order.status != OrderStatus.DENIED:
        return
    if order.reduce_only and markets.is_paper(order.account):
        exits.try_again(order.deployment, intent=order.intent, attempts=order.attempt + 1, now=now)
    elif outcome.code == _NO_ROOM and not order.reduce_only:
        intents.postpone(order.intent, until=now + timedelta(seconds=settings.HORIZONS.retry_s))


def _settle_cancellation(order: Order, outcome: Outcome, now: datetime) -> None:
    if outcome.kind is OutcomeKind.DONE and outcome.report is not None:
        apply_answer(order, outcome=outcome, now=now)
    # Everything else leaves it PENDING_CANCEL: it is asked about, and canceled again, until it ends.


def apply_answer(
    order: Order, *, outcome: Outcome, now: datetime, actor: OrderActor | None = None
) -> None:
    """Apply a report to a locked *order*: that it exists, its fills, then how it ended.

    Without an *actor* it is the answer to a call of ours, in the name of whoever may speak of the
    order by then. If nobody may, it is in doubt or over: the answer is kept, and the venue asked.
    """
    report = outcome.report
    if report is None:
        return
    evidence = _evidence(outcome)
    speaking = actor or orders.speaker(order)
    if speaking is None:
        _too_late(order, {**evidence, "venue_order_id": report.venue_order_id}, now)
        return
    orders.apply_report(order, report=report, actor=speaking, now=now, evidence=evidence)
    if order.status == OrderStatus.MANUAL_REVIEW:
        return
    booked = []
    for fill in outcome.fills:
        speaking = actor or orders.speaker(order)
        if speaking is not None and fill.venue_order_id == order.venue_order_id:
            booked.append(fills.record_fill(order, report=fill, actor=speaking, now=now))
    speaking = actor or orders.speaker(order)
    if any(booked) and speaking is not None:
        orders.apply_report(order, report=report, actor=speaking, now=now, evidence=evidence)


def _too_late(order: Order, evidence: dict[str, Any], now: datetime) -> None:
    """Keep an answer that came after reconciliation had taken over, and let it ask at once."""
    logger.info("settlement.too_late", extra={"order_id": order.pk})
    orders.note_evidence(order, actor=OrderActor.SUBMITTER, evidence=evidence)
    if order.status in {OrderStatus.UNKNOWN, OrderStatus.ABANDONED}:
        _look_up(order, at=now)


def _look_up(order: Order, *, at: datetime) -> None:
    orders.check_again(order, at=at)
    enqueue_on_commit("trading.reconcile_account", account_id=order.account_id)


def _move(
    order: Order,
    to: OrderStatus,
    proof: Proof,
    outcome: Outcome,
    evidence: dict[str, Any],
    now: datetime,
) -> None:
    if not is_permitted(OrderStatus(order.status), to, actor=OrderActor.SUBMITTER):
        # Reconciliation was faster and knows better.
        _too_late(order, {**evidence, "would_be": to.value}, now)
        return
    orders.move(
        order,
        to=to,
        actor=OrderActor.SUBMITTER,
        proof=proof,
        now=now,
        evidence=evidence,
        code=outcome.code,
        message=outcome.message,
    )


def _is_about(report: OrderReport | None, order: Order, symbol: str) -> bool:
    """Tell whether an answer names this order and no other."""
    return (
        report is not None
        and report.venue_order_id != ""
        and report.client_order_id == order.client_order_id
        and report.symbol == symbol
        and report.side == order.side
    )


def _evidence(outcome: Outcome) -> dict[str, Any]:
    evidence: dict[str, Any] = {"outcome": outcome.kind.value, **outcome.evidence}
    if outcome.code:
        evidence["code"] = outcome.code
    return evidence
