"""One deployment's trading in one instrument, read for a decision: position, orders, rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from foundation.transactions import part_of_transaction
from market import money
from market.costs import Costs
from market.enums import Leg, OrderStatus, OrderType, Side
from market.matching import Bar
from market.orders import WORKING, KernelOrder
from market.positions import Position
from strategies.rules import Rules
from strategies.state import PositionState
from trading.domain import kernel
from trading.domain.brackets import TargetLevel
from trading.domain.kernel import IntentValues
from trading.models import (
    ActualState,
    Deployment,
    DeploymentDecision,
    DeploymentInstrument,
    DeploymentPosition,
    DeploymentRevision,
    IntentStatus,
    Order,
    OrderIntent,
)
from trading.selectors import markets
from trading.services import fills, intents
from trading.services.trades import Trade

if TYPE_CHECKING:
    from exchanges.models import Instrument

#: Deployments in these states are stepped.
STEPPED_STATES: Final = (ActualState.STARTING, ActualState.RUNNING, ActualState.PAUSED)

#: What marks may hold of orders that wait, although rows say it.
IN_ROWS: Final = frozenset(
    {"exit_lots", "exit_reason", "entry_side", "entry_kind", "entry_lots", "entry_ticks"}
)

_Row = TypeVar("_Row", OrderIntent, Order)


@dataclass(slots=True)
class Book:
    """A locked deployment, its rows for one instrument, and what stepping it has led to so far."""

    deployment: Deployment
    revision: DeploymentRevision
    instrument: "Instrument"
    row: DeploymentInstrument
    position: DeploymentPosition | None
    waiting: list[OrderIntent]
    orders: list[Order]
    rules: Rules
    costs: Costs
    state: PositionState | None = None
    decided: list[intents.Decided] = field(default_factory=list)
    decisions: list[DeploymentDecision] = field(default_factory=list)
    touches_stop: bool = False
    trade: Trade | None = None
    #: Of a live position: its targets, nearest first, the one that is taken now, and the state as
    #: rows have it.
    targets: tuple[TargetLevel, ...] = ()
    target_step: int = 0
    bracket_state: PositionState | None = None

    @property
    def is_paper(self) -> bool:
        """Whether its orders stay inside the platform."""
        return markets.is_paper(self.deployment.account)

    @property
    def stop_rests(self) -> bool:
        """Whether a stop rests at the venue, is on its way there, or may be."""
        rows: tuple[OrderIntent | Order, ...] = (*self.waiting, *self.orders)
        return any(row.leg == Leg.STOP for row in rows)

    @property
    def entry_id(self) -> int | None:
        """The decision that opened the position."""
        return None if self.position is None else self.position.entry_id

    @property
    def levels(self) -> tuple[float, float]:
        """Stop and target of the position as prices, 0 for none."""
        if self.position is None:
            return 0.0, 0.0
        stop, target = self.position.stop_price, self.position.target_price
        return (
            0.0 if stop is None else money.float_of(stop),
            0.0 if target is None else money.float_of(target),
        )

    @property
    def opened_at(self) -> datetime | None:
        """Since when a position is open."""
        return None if self.position is None else self.position.opened_at

    def resting(self) -> list[Order]:
        """Return the orders that rest at the venue, oldest first."""
        resting = {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}
        return [order for order in self.orders if order.status in resting]

    def pending(self, *, but: Iterable[Order] = ()) -> tuple[KernelOrder, ...]:
        """Return entries and exits that may still fill, other than *but*, as kernel orders."""
        left_out = {order.pk for order in but}
        rows: list[OrderIntent | Order] = [*self.waiting]
        rows += [
            order
            for order in self.orders
            if order.pk not in left_out and OrderStatus(order.status) in WORKING
        ]
        return tuple(self.to_kernel(row) for row in rows if row.leg != Leg.STOP)

    def to_kernel(self, row: OrderIntent | Order) -> KernelOrder:
        """Return what is left to fill of *row* as an order of the kernel."""
        intent = row.intent if isinstance(row, Order) else row
        filled = row.filled_quantity if isinstance(row, Order) else 0
        values = IntentValues(
            leg=Leg(row.leg),
            side=Side(row.side),
            order_type=OrderType(row.order_type),
            quantity=row.quantity - filled,
            price=row.price,
            trigger_price=row.trigger_price,
            reduce_only=row.reduce_only,
            stop_percent=intent.stop_percent,
            target_percent=intent.target_percent,
        )
        return kernel.to_kernel_order(values, steps=markets.steps_of(self.instrument))

    def begin(self, bar: Bar) -> PositionState:
        """Return the state before the first bar that is stepped."""
        # What waits is told by rows; of an entry only what they cannot say is remembered.
        marks = {name: value for name, value in self.row.marks.items() if name not in IN_ROWS}
        position = Position.flat() if self.position is None else fills.with_funding(self.position)
        return kernel.state_of(
            position,
            capital=self.deployment.capital,
            marks=marks,
            awaits_venue=bool(self.pending()),
            price=money.decimal_of(bar.close),
            steps=markets.steps_of(self.instrument),
        )


@part_of_transaction
def open_books(
    *, group_id: int, instrument: "Instrument", deployment_ids: Sequence[int]
) -> list[Book]:
    """Return the books of deployments that are to be stepped, their deployments locked."""
    deployments = list(
        Deployment.objects.select_for_update(of=("self",))
        .filter(pk__in=deployment_ids, actual_state__in=STEPPED_STATES)
        .select_related("account__venue", "owner")
        .order_by("pk")
    )
    ids = [deployment.pk for deployment in deployments]
    revisions = {
        row.deployment_id: row
        for row in DeploymentRevision.objects.filter(
            deployment_id__in=ids, group_id=group_id, to_bar_at=None
        )
    }
    rows = {
        row.deployment_id: row
        for row in DeploymentInstrument.objects.filter(
            deployment_id__in=ids, instrument=instrument, is_active=True
        )
    }
    positions = {
        row.deployment_id: row
        for row in DeploymentPosition.objects.filter(
            deployment_id__in=ids, instrument=instrument
        ).select_related("instrument")
    }
    waiting = _by_deployment(
        OrderIntent.objects.filter(
            deployment_id__in=ids, instrument=instrument, status=IntentStatus.NEW
        ).order_by("pk")
    )
    orders = _by_deployment(
        Order.objects.select_for_update(of=("self",))
        .filter(
            deployment_id__in=ids,
            instrument=instrument,
            status__in=[status.value for status in WORKING],
        )
        .select_related("intent", "instrument")
        .order_by("pk")
    )
    return [
        Book(
            deployment=deployment,
            revision=revisions[deployment.pk],
            instrument=instrument,
            row=rows[deployment.pk],
            position=positions.get(deployment.pk),
            waiting=waiting.get(deployment.pk, []),
            orders=_with(deployment, orders.get(deployment.pk, [])),
            rules=kernel.rules_from_json(revisions[deployment.pk].rules),
            costs=markets.costs_for(instrument, deployment.account.venue),
        )
        for deployment in deployments
        if deployment.pk in revisions and deployment.pk in rows
    ]


def _with(deployment: Deployment, orders: list[Order]) -> list[Order]:
    for order in orders:
        order.deployment = deployment
    return orders


def _by_deployment(rows: Iterable[_Row]) -> Mapping[int, list[_Row]]:
    found: dict[int, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.deployment_id, []).append(row)
    return found
