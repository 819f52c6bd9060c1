"""One deployment's trading in a universe, read for a decision: its books in the order of the markets."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from backtesting.engine import WalletState
from foundation.transactions import part_of_transaction
from market import money
from market.enums import Leg
from market.matching import Bar
from market.orders import WORKING
from market.positions import Position
from strategies.rules import Rules
from strategies.state import PositionState
from trading.domain import kernel, wallets
from trading.models import (
    Deployment,
    DeploymentInstrument,
    DeploymentPosition,
    DeploymentRevision,
    IntentStatus,
    Order,
    OrderIntent,
)
from trading.selectors import markets
from trading.services import books, fills, paper
from trading.services.books import Book

if TYPE_CHECKING:
    from exchanges.models import Instrument

_Row = TypeVar("_Row", OrderIntent, Order, DeploymentInstrument, DeploymentPosition)


@dataclass(slots=True)
class Wallet:
    """A locked deployment and its book of each market; ``state`` is None before its first bar."""

    deployment: Deployment
    revision: DeploymentRevision
    books: Sequence[Book]
    rules: Rules
    state: WalletState | None = None
    touched: set[int] = field(default_factory=set)

    @property
    def is_paper(self) -> bool:
        """Whether its orders stay inside the platform."""
        return markets.is_paper(self.deployment.account)

    @property
    def capital(self) -> float:
        """What it may use, in the settle currency."""
        return money.float_of(self.deployment.capital)

    def begin(self, bars: Sequence[Bar], closes: tuple[float, ...]) -> WalletState:
        """Return the state before the first bar that is stepped; *closes* are the last known ones."""
        states = (_begin(book, bar, self.rules) for book, bar in zip(self.books, bars, strict=True))
        wanted = tuple(wallets.wanted_of(book.row.marks) for book in self.books)
        return WalletState(tuple(states), wanted, closes)


def _begin(book: Book, bar: Bar, rules: Rules) -> PositionState:
    marks = book.row.marks
    position = Position.flat() if book.position is None else fills.position_of(book.position)
    state = wallets.state_of_market(
        position,
        capital=book.deployment.capital,
        marks=marks,
        awaits_venue=bool(book.pending()),
        price=money.decimal_of(bar.close or 1.0),
        steps=markets.steps_of(book.instrument),
    )
    waiting = {Leg(order.leg): book.to_kernel(order) for order in book.resting()}
    told = paper.with_orders(
        # Whether something waits is told by rows; the rest of it is remembered bit for bit.
        state._replace(entry_side=0, exit_lots=0),
        waiting=waiting,
        costs=book.costs,
        leverage=rules.leverage,
    )
    return told._replace(
        entry_budget=state.entry_budget, exit_reason=state.exit_reason or told.exit_reason
    )


@part_of_transaction
def open_wallets(
    *, group_id: int, instruments: "Sequence[Instrument]", deployment_ids: Sequence[int]
) -> list[Wallet]:
    """Return the wallets of deployments that are to be stepped, their deployments locked."""
    deployments = list(
        Deployment.objects.select_for_update(of=("self",))
        .filter(pk__in=deployment_ids, actual_state__in=books.STEPPED_STATES)
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
    rows = _by_market(
        DeploymentInstrument.objects.filter(deployment_id__in=ids, is_active=True).order_by("pk")
    )
    positions = _by_market(
        DeploymentPosition.objects.filter(deployment_id__in=ids)
        .select_related("instrument")
        .order_by("pk")
    )
    waiting = _by_market(
        OrderIntent.objects.filter(deployment_id__in=ids, status=IntentStatus.NEW).order_by("pk")
    )
    orders = _by_market(
        Order.objects.select_for_update(of=("self",))
        .filter(deployment_id__in=ids, status__in=[status.value for status in WORKING])
        .select_related("intent", "instrument")
        .order_by("pk")
    )
    opened = []
    for deployment in deployments:
        places = [(deployment.pk, each.pk) for each in instruments]
        if deployment.pk not in revisions or not all(place in rows for place in places):
            continue
        revision = revisions[deployment.pk]
        rules = kernel.rules_from_json(revision.rules)
        opened.append(
            Wallet(
                deployment=deployment,
                revision=revision,
                rules=rules,
                books=[
                    Book(
                        deployment=deployment,
                        revision=revision,
                        instrument=instrument,
                        row=rows[place][0],
                        position=next(iter(positions.get(place, ())), None),
                        waiting=waiting.get(place, []),
                        orders=_with(deployment, orders.get(place, [])),
                        rules=rules,
                        costs=markets.costs_for(instrument, deployment.account.venue),
                    )
                    for instrument, place in zip(instruments, places, strict=True)
                ],
            )
        )
    return opened


def _with(deployment: Deployment, orders: list[Order]) -> list[Order]:
    for order in orders:
        order.deployment = deployment
    return orders


def _by_market(rows: Iterable[_Row]) -> Mapping[tuple[int, int], list[_Row]]:
    found: dict[tuple[int, int], list[_Row]] = defaultdict(list)
    for row in rows:
        found[(row.deployment_id, row.instrument_id)].append(row)
    return found
