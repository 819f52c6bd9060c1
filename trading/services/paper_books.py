"""Paper deployments read for a step, many by a few queries: rules, marks, position and orders."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db import connection
from django.db.models import F

from foundation.transactions import part_of_transaction
from market import money
from market.enums import Leg, OrderStatus, OrderType, Side
from market.matching import Bar
from market.orders import RESTING, WORKING, KernelOrder
from market.positions import Position
from market.timeframes import to_milliseconds
from strategies.rules import Rules
from strategies.state import PositionState
from trading.domain import kernel
from trading.domain.kernel import IntentValues
from trading.domain.sizing import TradingSteps
from trading.models import Deployment, DeploymentDecision, IntentStatus, Order, OrderIntent
from trading.services.books import IN_ROWS
from trading.services.frames import Frame, GroupBar
from trading.services.intents import Decided
from trading.services.members import Member

if TYPE_CHECKING:
    from exchanges.models import Instrument

_SELECT: Final = """
    SELECT wanted.place, revision.deployment_id, revision.id, revision.rules::text,
           revision.from_bar_at, traded.id, traded.marks::text, traded.last_bar_close_at,
           held.id, held.quantity, held.average_price, held.realized_pnl, held.fees,
           held.opened_at, held.entry_id
    FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
         AS wanted(place, deployment_id, instrument_id, group_id)
    JOIN trading_deploymentrevision revision ON revision.deployment_id = wanted.deployment_id
     AND revision.group_id = wanted.group_id AND revision.to_bar_at IS NULL
    JOIN trading_deploymentinstrument traded ON traded.deployment_id = wanted.deployment_id
     AND traded.instrument_id = wanted.instrument_id AND traded.is_active
    LEFT JOIN trading_deploymentposition held ON held.deployment_id = wanted.deployment_id
     AND held.instrument_id = wanted.instrument_id
    ORDER BY wanted.place, wanted.deployment_id
"""


class Taken(NamedTuple):
    """A step that an order has taken and that is not stored yet."""

    to: OrderStatus
    evidence: Mapping[str, Any]


@dataclass(slots=True)
class PaperOrder:
    """An order of a paper deployment as it stands in the middle of a step.

    *row* is how it is stored; None of an order that has come to be in this step.
    """

    decided_at: datetime | None
    leg: Leg
    quantity: Decimal
    filled: Decimal
    average_price: Decimal | None
    status: OrderStatus
    client_order_id: str
    row: Order | None = None
    decided: Decided | None = None
    steps: list[Taken] = field(default_factory=list)

    @property
    def venue_order_id(self) -> str:
        """Under which name the paper venue knows it."""
        return f"paper-{self.client_order_id}"

    def stored(self) -> Order:
        """Return its row; raise RuntimeError if it has none yet."""
        if self.row is None:
            raise RuntimeError(f"Order {self.client_order_id} has not been stored.")
        return self.row

    def go(self, to: OrderStatus, **evidence: Any) -> None:
        """Take it to another status; whether there is a way is seen when it is stored."""
        self.status = to
        self.steps.append(Taken(to, {"venue_order_id": self.venue_order_id, **evidence}))


@dataclass(slots=True)
class PaperBook:
    """A locked paper deployment in one market, and what stepping it has led to so far."""

    member: Member
    instrument: "Instrument"
    revision_id: int
    rules: Rules
    from_ms: int
    row_id: int
    marks: dict[str, Any]
    cursor: datetime | None
    position_id: int | None
    position: Position
    opened_at: datetime | None
    #: The decision that opened it.
    entry_id: int | None
    orders: list[PaperOrder] = field(default_factory=list)
    is_awaited: bool = False
    state: PositionState | None = None
    decided: list[Decided] = field(default_factory=list)
    decisions: list[DeploymentDecision] = field(default_factory=list)
    has_acted: bool = False

    @property
    def deployment(self) -> Deployment:
        """Whose book it is."""
        return self.member.deployment

    def meets(self, each: GroupBar) -> bool:
        """Tell whether a bar is one of those that it has still to see."""
        is_new = self.cursor is None or each.closed_at > self.cursor
        return is_new and each.bar.open_time >= self.from_ms

    def resting(self) -> list[PaperOrder]:
        """Return the orders that rest, oldest first."""
        return [order for order in self.orders if order.status in RESTING]

    def met_by(self, bar: Bar) -> dict[Leg, PaperOrder]:
        """Return the orders that were there before a bar, at most one entry and one exit."""
        return {
            order.leg: order
            for order in self.resting()
            if order.decided_at is not None and to_milliseconds(order.decided_at) <= bar.open_time
        }

    def begin(self, bar: Bar, *, steps: TradingSteps) -> PositionState:
        """Return the state before the first bar that is stepped."""
        return kernel.state_of(
            self.position,
            capital=self.deployment.capital,
            # What waits is told by rows; of an entry only what they cannot say is remembered.
            marks={name: value for name, value in self.marks.items() if name not in IN_ROWS},
            awaits_venue=False,
            price=money.decimal_of(bar.close),
            steps=steps,
        )

    def memory(self) -> dict[str, Any]:
        """Return what is to be remembered after the last bar that was stepped."""
        if self.state is None:
            return self.marks
        marks = self.state.memory()
        # Counted only as far as the rules ask for it: a position that is just held changes nothing.
        held = min(marks.pop("bars_held", 0), self.rules.exit_after_bars)
        return {**marks, "bars_held": held} if held else marks


@part_of_transaction
def open_paper_books(places: Sequence[tuple[Frame, Sequence[Member]]]) -> list[list[PaperBook]]:
    """Return for each frame the books of its locked paper deployments, the oldest first.

    By three queries, however many frames there are.
    """
    wanted = [
        (place, member.deployment.pk, frame.instrument.pk, frame.group_id)
        for place, (frame, here) in enumerate(places)
        for member in here
    ]
    found: list[list[PaperBook]] = [[] for _ in places]
    if not wanted:
        return found
    members = {member.deployment.pk: member for _, here in places for member in here}
    with connection.cursor() as cursor:
        cursor.execute(_SELECT, [list(column) for column in zip(*wanted, strict=True)])
        rows = cursor.fetchall()
    orders = _orders_of(members)
    awaited = set(
        OrderIntent.objects.filter(deployment_id__in=members, status=IntentStatus.NEW)
        .exclude(leg=Leg.STOP.value)
        .values_list("deployment_id", "instrument_id")
    )
    for (
        place,
        deployment_id,
        revision_id,
        rules,
        from_bar_at,
        row_id,
        marks,
        cursor_at,
        position_id,
        *position,
        opened_at,
        entry_id,
    ) in rows:
        instrument = places[place][0].instrument
        spot = (deployment_id, instrument.pk)
        book = PaperBook(
            member=members[deployment_id],
            instrument=instrument,
            revision_id=revision_id,
            rules=_rules_of(rules),
            from_ms=to_milliseconds(from_bar_at),
            row_id=row_id,
            marks=json.loads(marks),
            cursor=cursor_at,
            position_id=position_id,
            position=Position.flat() if position_id is None else Position(*position),
            opened_at=opened_at,
            entry_id=entry_id,
            orders=orders.get(spot, []),
            is_awaited=spot in awaited,
        )
        found[place].append(book)
    return found


def to_kernel_order(order: PaperOrder, *, steps: TradingSteps) -> KernelOrder:
    """Return what is left to fill of a stored *order* as an order of the kernel."""
    row = order.stored()
    values = IntentValues(
        leg=order.leg,
        side=Side(row.side),
        order_type=OrderType(row.order_type),
        quantity=order.quantity - order.filled,
        price=row.price,
        trigger_price=row.trigger_price,
        reduce_only=row.reduce_only,
        stop_percent=0.0,
        target_percent=0.0,
    )
    return kernel.to_kernel_order(values, steps=steps)


def _orders_of(deployment_ids: Collection[int]) -> Mapping[tuple[int, int], list[PaperOrder]]:
    """Return what works of deployments, locked, by deployment and market."""
    found: dict[tuple[int, int], list[PaperOrder]] = defaultdict(list)
    working = Order.objects.filter(
        deployment_id__in=deployment_ids,
        status__in=[status.value for status in WORKING],
    )
    for row in (
        working.select_for_update(of=("self",))
        .annotate(decided_at=F("intent__bar_close_at"))
        .order_by("pk")
    ):
        order = PaperOrder(
            decided_at=row.decided_at,
            leg=Leg(row.leg),
            quantity=row.quantity,
            filled=row.filled_quantity,
            average_price=row.average_price,
            status=OrderStatus(row.status),
            client_order_id=row.client_order_id,
            row=row,
        )
        found[row.deployment_id, row.instrument_id].append(order)
    return found


@lru_cache(maxsize=1_024)
def _rules_of(text: str) -> Rules:
    return kernel.rules_from_json(json.loads(text))
