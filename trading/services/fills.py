"""Executions: booked once, whoever reports them and however often."""

from dataclasses import replace
from datetime import datetime
from decimal import ROUND_UP, Decimal, localcontext

from django.db import IntegrityError, transaction
from django.db.models import F

from exchanges.adapters.protocol import FillReport
from foundation.crashpoints import crashpoint
from foundation.events import publish
from foundation.transactions import part_of_transaction
from market import money, positions
from market.enums import Leg, OrderActor, OrderStatus, Proof, Side
from market.orders import TERMINAL
from market.positions import Position
from trading import events
from trading.domain import reports
from trading.domain.reports import Step
from trading.models import DeploymentPosition, Fill, Order, Reservation
from trading.selectors import prices
from trading.services import order_rows, orders


@part_of_transaction
def record_fill(
    order: Order, *, report: FillReport, actor: OrderActor, now: datetime, is_manual: bool = False
) -> bool:
    """Book an execution of a locked *order* and move its position; False if it is known already.

    The order ends up with the sum of its fills, their average price and the status that follows.
    """
    position = _lock_position(order)
    fill, after = execution(order, row=position, report=report, is_manual=is_manual)
    try:
        with transaction.atomic():
            fill.save(force_insert=True)
    except IntegrityError:
        known = Fill.objects.filter(
            account_id=order.account_id,
            instrument_id=order.instrument_id,
            venue_trade_id=report.venue_trade_id,
            side=report.side.value,
        )
        if known.exists():
            return False
        raise
    crashpoint("fills.inserted")
    move_position(position, order=order, after=after, report=report)
    position.save()
    _move_order(order, report=report, actor=actor, now=now)
    publish(
        events.FILL_RECORDED,
        occurred_at=now,
        owner_id=order.owner_id,
        deployment_id=order.deployment_id,
        fill_id=fill.pk,
    )
    crashpoint("fills.booked")
    return True


def position_of(row: DeploymentPosition) -> Position:
    """Return the stored position as a value."""
    return Position(row.quantity, row.average_price, row.realized_pnl, row.fees)


def with_funding(row: DeploymentPosition) -> Position:
    """Return the stored position as a value that has earned, or paid, its fundings too: what there is to trade with."""
    return replace(position_of(row), fees=row.fees - row.funding)


def execution(
    order: Order, *, row: DeploymentPosition, report: FillReport, is_manual: bool = False
) -> tuple[Fill, Position]:
    """Return an execution of *order* as a row that is not stored yet, and the position after it."""
    with localcontext(money.WIDE):
        fee, fee_in_base = _split_fee(order, report)
        value = None if fee is None else money.quantize_money(fee + fee_in_base * report.price)
    before = position_of(row)
    after = positions.apply_fill(
        before,
        side=report.side,
        quantity=report.quantity,
        price=report.price,
        # What nobody can value is shown beside the result, not in it.
        fee=fee or Decimal(0),
        fee_in_base=fee_in_base,
    )
    fill = Fill(
        owner_id=order.owner_id,
        order=order,
        deployment_id=order.deployment_id,
        account_id=order.account_id,
        instrument_id=order.instrument_id,
        venue_trade_id=report.venue_trade_id,
        side=report.side.value,
        quantity=report.quantity,
        price=report.price,
        fee=money.quantize_money(report.fee),
        fee_currency=report.fee_currency,
        fee_in_quote=value,
        realized_pnl=money.quantize_money(after.realized_pnl - before.realized_pnl),
        liquidity=report.liquidity.value,
        is_manual=is_manual,
        venue_at=report.venue_at,
    )
    return fill, after


def as_stored(position: Position) -> Position:
    """Return *position* as a row keeps it."""
    return replace(
        position,
        quantity=money.quantize_money(position.quantity),
        average_price=money.quantize_money(position.average_price),
        realized_pnl=money.quantize_money(position.realized_pnl),
        fees=money.quantize_money(position.fees),
    )


def opened_at_after(
    opened_at: datetime | None, *, after: Position, side: Side, venue_at: datetime
) -> datetime | None:
    """Return since when a position is open once a fill on *side* has made it *after*."""
    if after.is_flat:
        return None
    opens = side is (Side.BUY if after.quantity > 0 else Side.SELL)
    return venue_at if opens and opened_at is None else opened_at


def _split_fee(order: Order, report: FillReport) -> tuple[Decimal | None, Decimal]:
    """Return the fee in quote, None if it cannot be valued, and the fee in base."""
    instrument = order.instrument
    if report.fee_currency == instrument.base:
        return Decimal(0), report.fee
    if report.fee == 0 or report.fee_currency == instrument.quote:
        return report.fee, Decimal(0)
    price = prices.price_near(instrument, currency=report.fee_currency, at=report.venue_at)
    return (None if price is None else report.fee * price), Decimal(0)


def _lock_position(order: Order) -> DeploymentPosition:
    # The deployment's lock is held, so nobody else creates the row meanwhile.
    position, _ = DeploymentPosition.objects.select_for_update(of=("self",)).get_or_create(
        deployment_id=order.deployment_id,
        instrument_id=order.instrument_id,
        defaults={"owner_id": order.owner_id},
    )
    return position


def move_position(
    row: DeploymentPosition, *, order: Order, after: Position, report: FillReport
) -> None:
    """Let a locked position be what it is after an execution of *order*; the row is not stored."""
    after = as_stored(after)
    row.opened_at = opened_at_after(
        row.opened_at, after=after, side=report.side, venue_at=report.venue_at
    )
    if order.leg == Leg.ENTRY and (row.quantity == 0 or row.entry_id is None):
        row.entry_id = order.intent_id
    row.quantity, row.average_price = after.quantity, after.average_price
    row.realized_pnl, row.fees = after.realized_pnl, after.fees
    row.last_price, row.last_price_at = report.price, report.venue_at
    row.version += 1


def add_to_order(
    order: Order, *, report: FillReport, actor: OrderActor, now: datetime
) -> tuple[Step, dict[str, str]]:
    """Let a locked order have filled what is reported; return where that takes it, and the evidence.

    The row is not stored.
    """
    filled = order.filled_quantity + report.quantity
    with localcontext(money.WIDE):
        spent = order.filled_quantity * (order.average_price or Decimal(0))
        spent += report.quantity * report.price
        order.average_price = money.quantize_money(spent / filled)
    order.filled_quantity = filled
    order.venue_order_id = order.venue_order_id or report.venue_order_id
    order.active_at = now
    step = reports.step_for_fill(
        OrderStatus(order.status), quantity=order.quantity, filled=filled, actor=actor
    )
    evidence = {
        "venue_order_id": report.venue_order_id,
        "fill": report.venue_trade_id,
        "filled": str(filled),
    }
    return step, evidence


def _move_order(order: Order, *, report: FillReport, actor: OrderActor, now: datetime) -> None:
    step, evidence = add_to_order(order, report=report, actor=actor, now=now)
    is_stored = False
    if step.contradiction:
        is_stored = orders.review(
            order,
            contradiction=step.contradiction,
            evidence=evidence,
            message="The exchange reports executions that this order cannot have.",
            now=now,
        )
    elif step.status is not None:
        is_stored = True
        orders.move(
            order,
            to=step.status,
            actor=actor,
            proof=Proof.VENUE_RECORD,
            now=now,
            evidence=evidence,
        )
    if not is_stored:
        order_rows.store([order])
    if OrderStatus(order.status) not in TERMINAL:
        shrink_reservation(order, by=report.quantity, now=now)
    order.deployment.version = F("version") + 1
    order.deployment.save(update_fields=["version"])
    order.deployment.refresh_from_db(fields=["version"])


@part_of_transaction
def shrink_reservation(order: Order, *, by: Decimal, now: datetime) -> None:
    """Keep aside only what the unfilled rest may still cost."""
    reservation = Reservation.objects.filter(intent_id=order.intent_id, released_at=None).first()
    if reservation is None:
        return
    rest = order.quantity - order.filled_quantity
    if rest <= 0:
        # All of it is filled, although its status waits for somebody else's word.
        reservation.released_at = now
        reservation.save(update_fields=["released_at"])
        return
    with localcontext(money.WIDE):
        amount = reservation.amount * rest / (rest + by)
    reservation.amount = amount.quantize(money.MONEY_QUANTUM, rounding=ROUND_UP)
    reservation.save(update_fields=["amount"])
