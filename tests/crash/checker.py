"""What must be true in the end, whatever died and whatever the exchange did: its truth against our rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db.models import Count

from exchanges.simulator.fault_kinds import FaultKind
from market.enums import Leg, OrderStatus
from market.orders import TERMINAL, TRANSITIONS
from tests.crash.stage import Scene
from trading.domain import sizing
from trading.models import (
    DeploymentPosition,
    Fill,
    Order,
    OrderIntent,
    OrderTransition,
    Reservation,
)
from trading.selectors import markets
from trading.services import venues

Truth = Mapping[str, Sequence[Mapping[str, Any]]]

_OPEN_THERE: Final = frozenset({"NEW", "PARTIALLY_FILLED"})
_ENDS: Final[Mapping[str, frozenset[OrderStatus]]] = {
    "FILLED": frozenset({OrderStatus.FILLED}),
    "CANCELED": frozenset({OrderStatus.CANCELED}),
    "EXPIRED": frozenset({OrderStatus.EXPIRED, OrderStatus.CANCELED}),
    "REJECTED": frozenset({OrderStatus.REJECTED, OrderStatus.CANCELED}),
    # A stop that was triggered has become an order, and lives or ends as that one does.
    "FINISHED": frozenset({OrderStatus.FILLED}),
    "TRIGGERED": frozenset({OrderStatus.FILLED}),
}
_NEVER_THERE: Final = frozenset({OrderStatus.REJECTED, OrderStatus.DENIED, OrderStatus.ABANDONED})
_IN_FLIGHT: Final = frozenset(
    {OrderStatus.SUBMITTING, OrderStatus.UNKNOWN, OrderStatus.PENDING_CANCEL}
)

#: Answers that contradict one another: only a person can tell which of them is true.
CONTRADICTING: Final = frozenset(
    {
        FaultKind.ACCEPTED_WRONG_ID,
        FaultKind.ACCEPTED_WRONG_SYMBOL,
        FaultKind.ACCEPTED_WRONG_SIDE,
        FaultKind.ACCEPTED_WRONG_CLIENT_ID,
        FaultKind.ACCEPTED_DUPLICATE_ACK,
    }
)

#: A protective order is asked for this soon after the fill of an entry, at the platform's own pace.
_PROTECTED_WITHIN_S: Final = 10.0
#: What a machine that others use as well may add to every duration of the matrix.
_BUSY_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """One order as the exchange knows it; a triggered stop of the swaps and its order are one."""

    client_order_id: str
    venue_order_id: str
    status: str
    executed: Decimal
    created_at: datetime


def check(scene: Scene, truth: Truth) -> list[str]:
    """Return everything that is not as it must be."""
    rows = list(Order.objects.filter(deployment=scene.deployment).order_by("pk"))
    there = _orders_there(truth)
    return [
        *_sent_twice(truth),
        *_decided_twice(scene),
        *_not_in_step(rows, there),
        *_executions_differ(rows, truth),
        *_position_differs(scene, truth),
        *_given_up_alive(rows, there),
        *_entered_in_doubt(scene, rows),
        *_entered_after_stop(scene, rows, truth),
        *_unlawful_steps(rows),
        *_unprotected(scene, rows),
        *_left_behind(scene, rows),
    ]


def _orders_there(truth: Truth) -> list[VenueOrder]:
    orders = [
        *truth["spot_orders"],
        *(row for row in truth["futures_orders"] if not row["stop_id"]),
    ]
    found = [_venue_order(row, Decimal(row["executed"]), row["status"]) for row in orders]
    of_stops = {row["stop_id"]: row for row in truth["futures_orders"] if row["stop_id"]}
    for stop in truth["futures_stops"]:
        child = of_stops.get(stop["id"])
        executed = Decimal(child["executed"]) if child else Decimal(0)
        found.append(_venue_order(stop, executed, child["status"] if child else stop["status"]))
    return found


def _venue_order(row: Mapping[str, Any], executed: Decimal, status: str) -> VenueOrder:
    created_at = datetime.fromtimestamp(row["created_ms"] / 1_000, tz=UTC)
    return VenueOrder(row["client_order_id"], str(row["id"]), status, executed, created_at)


def _sent_twice(truth: Truth) -> Iterator[str]:
    """One instruction leaves this house once, whatever the exchange would make of a second one."""
    sent = Counter(
        (row["client_order_id"], row["path"]) for row in truth["requests"] if _is_order(row)
    )
    for (client_order_id, _), times in sent.items():
        if times > 1:
            yield f"order {client_order_id} was sent {times} times"


def _is_order(row: Mapping[str, Any]) -> bool:
    return bool(row["method"] == "POST" and row["client_order_id"] and row["is_complete"])


def _decided_twice(scene: Scene) -> Iterator[str]:
    repeated = (
        OrderIntent.objects.filter(deployment=scene.deployment)
        .values("decision_key")
        .annotate(times=Count("pk"))
        .filter(times__gt=1)
    )
    for row in repeated:
        yield f"decision {row['decision_key']} is there {row['times']} times"


def _not_in_step(rows: Sequence[Order], there: Sequence[VenueOrder]) -> Iterator[str]:
    by_id: dict[str, list[VenueOrder]] = defaultdict(list)
    for order in there:
        by_id[order.client_order_id].append(order)
    known = {row.client_order_id for row in rows}
    for client_order_id, orders in by_id.items():
        if len(orders) > 1:
            yield f"the exchange has {len(orders)} orders called {client_order_id}"
        if client_order_id not in known:
            yield f"the exchange has an order {client_order_id} that we have no row of"
    for row in rows:
        status = OrderStatus(row.status)
        found = by_id.get(row.client_order_id)
        if status is OrderStatus.MANUAL_REVIEW:
            continue
        if found is None:
            if status not in _NEVER_THERE:
                yield f"{row.leg} {row.client_order_id} is {status} here and unknown there"
        elif not _match(status, found[0]):
            yield f"{row.leg} {row.client_order_id} is {status} here and {found[0].status} there"


def _match(status: OrderStatus, there: VenueOrder) -> bool:
    if there.status in _OPEN_THERE:
        return status not in TERMINAL and status not in _IN_FLIGHT
    return status in _ENDS.get(there.status, frozenset())


def _executions_differ(rows: Sequence[Order], truth: Truth) -> Iterator[str]:
    trades = [*truth["spot_trades"], *truth["futures_trades"]]
    in_review = {row.venue_order_id for row in rows if row.status == OrderStatus.MANUAL_REVIEW} | (
        {""} if any(row.status == OrderStatus.MANUAL_REVIEW for row in rows) else set()
    )
    if "" in in_review:
        # Which of them belong to the order under review is what the person has to find out.
        return
    there = {str(row["id"]): Decimal(row["quantity"]) for row in trades}
    fills = Fill.objects.filter(order__in=[row.pk for row in rows])
    here = {fill.venue_trade_id: fill.quantity for fill in fills}
    if here != there:
        yield f"executions here {here}, there {there}"
    for row in rows:
        booked = sum((fill.quantity for fill in fills if fill.order_id == row.pk), start=Decimal(0))
        if booked != row.filled_quantity:
            yield f"{row.client_order_id} counts {row.filled_quantity}, its fills are {booked}"


def _position_differs(scene: Scene, truth: Truth) -> Iterator[str]:
    row = DeploymentPosition.objects.filter(deployment=scene.deployment).first()
    ours = row.quantity if row is not None else Decimal(0)
    booked = Decimal(0)
    for fill in Fill.objects.filter(deployment=scene.deployment):
        booked += fill.quantity if fill.side == "BUY" else -fill.quantity
        booked -= fill.fee if fill.fee_currency == scene.instrument.base else 0
    if booked != ours:
        yield f"the position is {ours}, its fills add up to {booked}"
    if Order.objects.filter(deployment=scene.deployment, status="MANUAL_REVIEW").exists():
        return
    if scene.plan.is_swap:
        held = sum((Decimal(each["quantity"]) for each in truth["futures_positions"]), Decimal(0))
    else:
        held = sum(
            Decimal(each["free"]) + Decimal(each["locked"])
            for each in truth["spot_balances"]
            if each["asset"] == scene.instrument.base
        ) + Decimal(0)
    if held != ours:
        yield f"the exchange holds {held}, our position is {ours}"


def _given_up_alive(rows: Sequence[Order], there: Sequence[VenueOrder]) -> Iterator[str]:
    """An order that was given up as absent was absent at that moment."""
    born = {order.client_order_id: order.created_at for order in there}
    for row in rows:
        given_up = OrderTransition.objects.filter(order=row, to_status=OrderStatus.ABANDONED.value)
        for step in given_up:
            if row.client_order_id in born:
                late = born[row.client_order_id] > step.at
                what = (
                    "reached the exchange after it was given up" if late else "lived all the same"
                )
                yield f"{row.leg} {row.client_order_id} was given up and {what}"


def _entered_in_doubt(scene: Scene, rows: Sequence[Order]) -> Iterator[str]:
    doubts: list[tuple[int, datetime, datetime]] = []
    for row in rows:
        steps = list(OrderTransition.objects.filter(order=row).order_by("pk"))
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if step.to_status in {OrderStatus.UNKNOWN.value, OrderStatus.MANUAL_REVIEW.value}:
                until = datetime.max.replace(tzinfo=UTC) if following is None else following.at
                doubts.append((row.pk, step.at, until))
    for row in rows:
        if row.leg != Leg.ENTRY.value:
            continue
        for other, since, until in doubts:
            if other != row.pk and since < row.created_at < until:
                yield f"entry {row.client_order_id} was sent while another order was in doubt"


def _entered_after_stop(scene: Scene, rows: Sequence[Order], truth: Truth) -> Iterator[str]:
    """What was decided before a stop is not sent after it, however long its sender slept."""
    if not scene.plan.stops_meanwhile:
        return
    commands = scene.deployment.commands.filter(kind__in=["STOP", "PAUSE"])
    stopped_at = commands.order_by("requested_at").values_list("requested_at", flat=True).first()
    if stopped_at is None:
        return
    entries = {row.client_order_id for row in rows if row.leg == Leg.ENTRY.value}
    for request in truth["requests"]:
        arrived_at = datetime.fromtimestamp(request["at_ms"] / 1_000, tz=UTC)
        is_late = arrived_at > stopped_at + timedelta(seconds=0.05)
        if is_late and _is_order(request) and request["client_order_id"] in entries:
            yield f"entry {request['client_order_id']} was sent after the stop"


def _unlawful_steps(rows: Sequence[Order]) -> Iterator[str]:
    for row in rows:
        at = ""
        for step in OrderTransition.objects.filter(order=row).order_by("pk"):
            if step.from_status != at:
                yield f"{row.client_order_id} went from {step.from_status} while it was {at}"
            stays = step.from_status == step.to_status
            if at and not stays and step.to_status not in TRANSITIONS[OrderStatus(at)]:
                yield f"{row.client_order_id} went from {at} to {step.to_status}"
            at = step.to_status
        if at != row.status:
            yield f"{row.client_order_id} is {row.status}, its last step led to {at}"


def _unprotected(scene: Scene, rows: Sequence[Order]) -> Iterator[str]:
    if any(row.status == OrderStatus.MANUAL_REVIEW for row in rows):
        return
    position = DeploymentPosition.objects.filter(deployment=scene.deployment).first()
    steps = markets.steps_of(scene.instrument)
    if position is not None and sizing.is_closable(
        position.quantity, price=position.last_price or position.average_price, steps=steps
    ):
        stops = [
            row.quantity - row.filled_quantity
            for row in rows
            if row.leg == Leg.STOP.value and row.status in {"ACCEPTED", "PARTIALLY_FILLED"}
        ]
        if abs(sum(stops, Decimal(0)) - abs(position.quantity)) >= steps.lot_step:
            yield f"a position of {position.quantity} is protected by stops of {stops}"
    yield from _protected_late(scene, rows)


def _protected_late(scene: Scene, rows: Sequence[Order]) -> Iterator[str]:
    delay_s = protection_delay_s(scene, rows)
    # The dead process still holds the account for as long as its claim lasts.
    limit_s = scaled(_PROTECTED_WITHIN_S) + venues.claim_seconds() + _BUSY_S
    if delay_s is not None and delay_s > limit_s and scene.plan.by.name == "SIGKILL":
        yield f"the entry was protected {delay_s:.2f} s after its fill was known"


def protection_delay_s(scene: Scene, rows: Sequence[Order] | None = None) -> float | None:
    """Return how long after the entry's first fill was booked its first stop or exit was ordered."""
    rows = rows or list(Order.objects.filter(deployment=scene.deployment))
    entries = [row.pk for row in rows if row.leg == Leg.ENTRY.value]
    booked_at = (
        Fill.objects.filter(order__in=entries)
        .order_by("recorded_at")
        .values_list("recorded_at", flat=True)
        .first()
    )
    ordered = sorted(row.created_at for row in rows if row.reduce_only)
    if booked_at is None or not ordered:
        return None
    return max(0.0, (ordered[0] - booked_at).total_seconds())


def scaled(seconds: float) -> float:
    """Return a duration of the platform as it is in the matrix."""
    return seconds * settings.HORIZONS.retry_s


def _left_behind(scene: Scene, rows: Sequence[Order]) -> Iterator[str]:
    for row in rows:
        if OrderStatus(row.status) in _IN_FLIGHT:
            yield f"{row.leg} {row.client_order_id} is left {row.status}"
        if row.status == OrderStatus.MANUAL_REVIEW and scene.plan.fault not in CONTRADICTING:
            yield f"{row.leg} {row.client_order_id} waits for a person: {row.reason_message}"
    ended = [row.intent_id for row in rows if OrderStatus(row.status) in TERMINAL]
    kept = Reservation.objects.filter(intent__in=ended, released_at=None)
    if kept.exclude(intent__status="NEW").exists():
        yield "money is set aside for an order that has ended"
