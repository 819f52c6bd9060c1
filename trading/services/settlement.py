"""The transaction after the wire: what an answer, or the lack of one, makes of an order."""

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

from exchanges.adapters.protocol import OrderReport, Outcome, OutcomeKind
from foundation.crashpoints import crashpoint
from foundation.queue import enqueue_on_commit
from foundation.transactions import transactional
from market.enums import OrderStatus
from market.orders import TRANSITIONS
from trading.models import Order
from trading.services import fills, intents, orders, protection
from trading.services.venues import Call, Cancellation

logger = logging.getLogger(__name__)

_ACTOR: Final = "submission"

#: The code of a call that waited for its turn in vain.
_NO_ROOM: Final = "rate_limited"


@transactional
def settle(call: Call, *, outcome: Outcome, now: datetime) -> None:
    """Record what is proven about a call; what is not leaves the order UNKNOWN."""
    crashpoint("submission.settling")
    order = orders.lock_order(call.order_id)
    if isinstance(call, Cancellation):
        _settle_cancellation(order, outcome, now)
    else:
        _settle_submission(order, call.request.symbol, outcome, now)
    protection.follow(order.deployment, instrument_id=order.instrument_id, now=now)
    crashpoint("submission.state_written")


def _settle_submission(order: Order, symbol: str, outcome: Outcome, now: datetime) -> None:
    evidence = _evidence(outcome)
    match outcome.kind:
        case OutcomeKind.DONE if _is_about(outcome.report, order, symbol):
            apply_answer(order, outcome=outcome, now=now)
        case OutcomeKind.REJECTED:
            _move(order, OrderStatus.REJECTED, outcome, evidence, now)
        case OutcomeKind.NOT_SENT:
            _move(order, OrderStatus.DENIED, outcome, evidence, now)
            _queue_again(order, outcome, now)
        case _:
            _move(order, OrderStatus.UNKNOWN, outcome, evidence, now)
            orders.check_again(order, at=now + timedelta(seconds=settings.HORIZONS.retry_s))
            enqueue_on_commit("trading.reconcile_account", account_id=order.account_id)


def _queue_again(order: Order, outcome: Outcome, now: datetime) -> None:
    """Let an entry for which there was no room at the venue try again, as long as its bar is not too old.

    What gets out of a position, or protects it, is tried again by its own rules.
    """
    if outcome.code == _NO_ROOM and not order.reduce_only and order.status == OrderStatus.DENIED:
        intents.postpone(order.intent, until=now + timedelta(seconds=settings.HORIZONS.retry_s))


def _settle_cancellation(order: Order, outcome: Outcome, now: datetime) -> None:
    if outcome.kind is OutcomeKind.DONE and outcome.report is not None:
        apply_answer(order, outcome=outcome, now=now)
    # Everything else leaves it PENDING_CANCEL: it is asked about, and canceled again, until it ends.


def apply_answer(order: Order, *, outcome: Outcome, now: datetime, actor: str = _ACTOR) -> None:
    """Apply a report to a locked *order*: that it exists, its fills, then how it ended."""
    report = outcome.report
    if report is None:
        return
    evidence = _evidence(outcome)
    orders.apply_report(order, report=report, actor=actor, now=now, evidence=evidence)
    if order.status == OrderStatus.MANUAL_REVIEW:
        return
    booked = [
        fills.record_fill(order, report=fill, actor=actor, now=now)
        for fill in outcome.fills
        if fill.venue_order_id == order.venue_order_id
    ]
    if any(booked):
        orders.apply_report(order, report=report, actor=actor, now=now, evidence=evidence)


def _move(
    order: Order, to: OrderStatus, outcome: Outcome, evidence: dict[str, Any], now: datetime
) -> None:
    if to not in TRANSITIONS[OrderStatus(order.status)]:
        # Reconciliation was faster and knows better.
        logger.info("settlement.too_late", extra={"order_id": order.pk, "to": to.value})
        return
    orders.move(
        order,
        to=to,
        actor=_ACTOR,
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
