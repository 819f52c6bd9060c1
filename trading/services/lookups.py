"""What a venue's answers about single orders and executions do to ours, one transaction each."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

from exchanges.adapters.protocol import FillReport, OrderReport, Outcome, OutcomeKind
from exchanges.services import leases
from exchanges.services.leases import AccountLease
from foundation.transactions import part_of_transaction, transactional
from market.enums import OrderActor, OrderStatus, Proof
from trading.domain import absence as proof_of_absence
from trading.models import Fill, Order
from trading.selectors import markets
from trading.services import absence, external, fills, notices, orders, protection, settlement
from trading.services.questions import Answers

logger = logging.getLogger(__name__)

_ACTOR: Final = OrderActor.RECONCILER

_CLOCKS_DIFFER: Final = timedelta(seconds=5)

#: Looks in vain are counted up to here.
_MOST_COUNTED: Final = 1_000

#: Orders that a venue has confirmed once; that it forgets them is a contradiction.
_CONFIRMED: Final = frozenset(
    {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_CANCEL}
)


@part_of_transaction
def doubt_left_behind(*, account_id: int, now: datetime) -> None:
    """Give up on answers that did not come: what was on its way for too long is UNKNOWN.

    A paper order never left the house, so nothing can be unknown of it: it is accepted.
    """
    left = Order.objects.filter(
        account_id=account_id, status=OrderStatus.SUBMITTING.value, next_check_at__lte=now
    )
    for order_id in left.order_by("pk").values_list("pk", flat=True):
        order = orders.lock_order(order_id)
        if order.status != OrderStatus.SUBMITTING:
            continue
        evidence = {"submitted_at": order.submitted_at.isoformat()}
        to, proof = OrderStatus.UNKNOWN, Proof.LEFT_BEHIND
        if markets.is_paper(order.account):
            to, proof = OrderStatus.ACCEPTED, Proof.VENUE_RECORD
            order.venue_order_id = evidence["venue_order_id"] = f"paper-{order.client_order_id}"
        orders.move(order, to=to, actor=_ACTOR, proof=proof, now=now, evidence=evidence)


@transactional
def apply_lookup(*, lease: AccountLease, order_id: int, answers: Answers, now: datetime) -> None:
    """Apply what a venue said when it was asked for one order; no answer changes nothing.

    Raises AccountLeaseLostError, like the others here: then somebody else knows better.
    """
    leases.hold(lease)
    order = orders.lock_order(order_id)
    _tell_long_doubt(order, now)
    report = answers.orders[order.client_order_id]
    symbol = order.instrument.symbol
    if order.status == OrderStatus.MANUAL_REVIEW:
        _hear_again(order, report, answers, now)
        protection.follow(order.deployment, instrument_id=order.instrument_id, now=now)
        return
    if report is None:
        _note_absence(order, answers, now)
    elif report.symbol != symbol or report.side != order.side:
        evidence = {"reported": report.symbol, "side": report.side.value}
        _review(order, "its id belongs to another order there", evidence, now)
    else:
        ours = [
            fill
            for fill in answers.fills.get(symbol, ())
            if fill.venue_order_id == report.venue_order_id
        ]
        _apply(order, report, ours, now)
    protection.follow(order.deployment, instrument_id=order.instrument_id, now=now)


@transactional
def tell_long_doubt(*, order_id: int, now: datetime) -> None:
    """Tell of an order that was not answered for in this turn, if it is in doubt for too long."""
    _tell_long_doubt(orders.lock_order(order_id), now)


@transactional
def apply_fills(
    *, lease: AccountLease, instrument_id: int, reports: Sequence[FillReport], now: datetime
) -> None:
    """Book the executions that belong to orders of ours; the others are somebody else's."""
    leases.hold(lease)
    account_id = lease.account_id
    known = set(
        Fill.objects.filter(
            account_id=account_id,
            instrument_id=instrument_id,
            venue_trade_id__in=[report.venue_trade_id for report in reports],
        ).values_list("venue_trade_id", "side")
    )
    fresh = [each for each in reports if (each.venue_trade_id, each.side.value) not in known]
    owners = dict(
        Order.objects.filter(
            account_id=account_id,
            instrument_id=instrument_id,
            venue_order_id__in=[report.venue_order_id for report in fresh],
        ).values_list("venue_order_id", "pk")
    )
    for report in fresh:
        order_id = owners.get(report.venue_order_id)
        if order_id is not None:
            order = orders.lock_order(order_id)
            fills.record_fill(order, report=report, actor=_ACTOR, now=now)
            protection.follow(order.deployment, instrument_id=instrument_id, now=now)


@transactional
def apply_open_orders(
    *, lease: AccountLease, instrument_id: int, reports: Sequence[OrderReport], now: datetime
) -> None:
    """Apply what rests at the venue; an order in the list that is not ours is noted and left alone."""
    leases.hold(lease)
    account_id = lease.account_id
    ours = dict(
        Order.objects.filter(
            account_id=account_id,
            instrument_id=instrument_id,
            client_order_id__in=[report.client_order_id for report in reports],
        ).values_list("client_order_id", "pk")
    )
    ours |= external.take_back(
        [report for report in reports if report.client_order_id not in ours],
        account_id=account_id,
        instrument_id=instrument_id,
        now=now,
    )
    for report in reports:
        order_id = ours.get(report.client_order_id)
        if order_id is not None:
            order = orders.lock_order(order_id)
            _apply(order, report, (), now)
            protection.follow(order.deployment, instrument_id=instrument_id, now=now)
    external.note(
        [report for report in reports if report.client_order_id not in ours],
        owner_id=leases.owner_of(lease),
        account_id=account_id,
        instrument_id=instrument_id,
        now=now,
    )


def _apply(order: Order, report: OrderReport, ours: Sequence[FillReport], now: datetime) -> None:
    was_given_up = order.status == OrderStatus.ABANDONED
    outcome = Outcome(OutcomeKind.DONE, report=report, fills=tuple(ours), evidence={"by": "lookup"})
    settlement.apply_answer(order, outcome=outcome, now=now, actor=_ACTOR)
    if was_given_up:
        logger.warning("order.found_after_all", extra={"order_id": order.pk})
    if order.status == OrderStatus.PENDING_CANCEL:
        # Still open: whoever serves the account cancels it again.
        orders.check_again(order, at=now)
    elif order.next_check_at is not None and order.next_check_at <= now:
        orders.check_again(order, at=now + timedelta(seconds=_pause_s(order)))


def _tell_long_doubt(order: Order, now: datetime) -> None:
    """Tell the owner of an order of whose fate the venue has said nothing for too long.

    It stays UNKNOWN: an answer still settles it by itself, which no operator has to do.
    """
    horizon = timedelta(seconds=settings.HORIZONS.absence_listed_s)
    if order.status == OrderStatus.UNKNOWN and now - order.submitted_at >= horizon:
        what = "the exchange has not told what became of it. Until it does, nothing is opened."
        notices.tell_order_problem(order, what=what, now=now)


def _hear_again(order: Order, report: OrderReport | None, answers: Answers, now: datetime) -> None:
    """Take an order under review as far as a new answer bears out, and keep the answer in any case."""
    order.next_check_at = None
    order.save(update_fields=["next_check_at"])
    if report is None:
        orders.note_evidence(order, actor=_ACTOR, evidence={"asked_again": "not known there"})
        return
    evidence = {
        "asked_again": report.status.value,
        "venue_order_id": report.venue_order_id,
        "symbol": report.symbol,
        "side": report.side.value,
        "filled": str(report.filled_quantity),
    }
    same = report.symbol == order.instrument.symbol and report.side == order.side
    known_as = order.venue_order_id or report.venue_order_id
    if same and known_as == report.venue_order_id:
        for fill in answers.fills.get(report.symbol, ()):
            if fill.venue_order_id == known_as:
                fills.record_fill(order, report=fill, actor=_ACTOR, now=now)
        if order.status == OrderStatus.MANUAL_REVIEW:
            orders.apply_report(order, report=report, actor=_ACTOR, now=now, evidence=evidence)
    if order.status == OrderStatus.MANUAL_REVIEW:
        orders.note_evidence(order, actor=_ACTOR, evidence=evidence)


def _pause_s(order: Order) -> float:
    awaits_fills = order.status in {OrderStatus.UNKNOWN, OrderStatus.ACCEPTED} and (
        order.filled_quantity == 0
    )
    horizons = settings.HORIZONS
    return horizons.lookup_interval_s / 5 if awaits_fills else horizons.reconcile_s


def _note_absence(order: Order, answers: Answers, now: datetime) -> None:
    """Count a look-up in vain; enough of them, long enough apart, prove that there is no order."""
    horizons = settings.HORIZONS
    is_given_up = order.status == OrderStatus.ABANDONED
    pause_s = horizons.reconcile_idle_s if is_given_up else horizons.in_flight_s
    order.next_check_at = now + timedelta(seconds=pause_s)
    if _is_evidence(order, answers, now):
        order.absent_lookups = min(order.absent_lookups + 1, _MOST_COUNTED)
        order.last_lookup_at = now
    order.save(update_fields=["next_check_at", "absent_lookups", "last_lookup_at"])
    absent = proof_of_absence.is_absent(
        submitted_at=order.submitted_at,
        lookups=order.absent_lookups,
        now=now,
        horizon_s=absence.horizon_s(order),
    )
    if not absent or order.last_lookup_at != now:
        return
    evidence = {
        "lookups": order.absent_lookups,
        "asked": ["client id", "open orders", "fills", "balances"],
    }
    if order.status == OrderStatus.UNKNOWN:
        _conclude_absence(order, answers, evidence, now)
    elif order.status in _CONFIRMED:
        _review(order, "the venue has forgotten it", evidence, now)


def _is_evidence(order: Order, answers: Answers, now: datetime) -> bool:
    """Tell whether a look-up in vain says anything: every other way of asking was answered as well.

    An order that has just moved may not be shown yet, and one of two looks in quick succession
    says no more than the other.
    """
    symbol = order.instrument.symbol
    is_complete = symbol in answers.open_orders and symbol in answers.fills
    counts = proof_of_absence.counts_as_lookup(
        order.last_lookup_at, now=now, interval_s=settings.HORIZONS.lookup_interval_s
    )
    # An answer that was lost is no sign of the order itself.
    is_fresh = order.status in _CONFIRMED and orders.is_recent(order, now=now)
    return is_complete and answers.problem is None and counts and not is_fresh


def _conclude_absence(
    order: Order, answers: Answers, evidence: dict[str, Any], now: datetime
) -> None:
    """Give up an order that is missing everywhere, unless something has moved that it could have."""
    readings = absence.holdings(order, answers=answers)
    if readings is None:
        # Nobody knows what the account held before: without that it stays in doubt.
        return
    moved = [proof_of_absence.moved(holdings) for holdings in readings]
    if all(moved) or _may_have_filled(order, answers):
        told = {**evidence, "moved": min(moved, key=len)}
        _review(order, "absent, but something like it filled", told, now)
        return
    balance = {name: str(holding.now) for name, holding in readings[0].items()}
    orders.move(
        order,
        to=OrderStatus.ABANDONED,
        actor=_ACTOR,
        proof=Proof.ABSENCE,
        now=now,
        evidence={**evidence, "balance": balance},
    )


def _may_have_filled(order: Order, answers: Answers) -> bool:
    """Tell whether the account has executions of the kind that *order* would have, and nobody's."""
    alike = [
        fill.venue_order_id
        for fill in answers.fills.get(order.instrument.symbol, ())
        if fill.side == order.side
        and fill.quantity <= order.quantity
        and fill.venue_at >= order.submitted_at - _CLOCKS_DIFFER
    ]
    known = Order.objects.filter(
        account_id=order.account_id, instrument_id=order.instrument_id, venue_order_id__in=alike
    )
    return bool(set(alike) - set(known.values_list("venue_order_id", flat=True)))


def _review(order: Order, contradiction: str, evidence: dict[str, Any], now: datetime) -> None:
    orders.review(
        order,
        contradiction=contradiction,
        evidence=evidence,
        message="What the exchange says of this order contradicts what it said before.",
        now=now,
    )
