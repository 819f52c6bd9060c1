"""What a venue is asked about one account in one turn, and what it says.

Lists first: what they show needs no question of its own. An order that a list lacks may have ended,
or may not be shown yet, so it is asked for by name; but only a few in one turn, and not all at once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings

from exchanges.adapters.protocol import (
    BalanceReport,
    FillReport,
    OrderReport,
    PositionReport,
    VenueClient,
)
from market.errors import PlatformError, VenueError, VenueTimeoutError

#: Orders that are asked for by name in one turn of one account.
MOST_SINGLE: Final = 10

#: All questions about one account have this many time-outs of a venue: each may have to wait for its turn.
_ASKING_IN_TIMEOUTS: Final = 2.0

#: How far before an order was sent its executions are looked for.
_CLOCKS_DIFFER: Final = timedelta(seconds=5)

#: Between two orders that are asked for by name: a hundredth of the time that a look-up waits for the next.
_PAUSE_IN_INTERVALS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Booked:
    """How much of an order is booked in executions, and when it was sent."""

    quantity: Decimal
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Lookups:
    """What to ask of one account: orders by (symbol, client order id), and symbols as a whole.

    The orders that matter most come first: not all of them may get their turn. ``stops`` are the
    client order ids of those that were sent as stops.
    """

    account_id: int
    orders: Sequence[tuple[str, str]]
    symbols: Sequence[str]
    fills_since: datetime
    stops: frozenset[str] = frozenset()
    #: What is booked of orders that rest, by client order id.
    booked: Mapping[str, Booked] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a venue said of one account; an order maps to None only if the venue does not know it."""

    account_id: int
    orders: Mapping[str, OrderReport | None]
    open_orders: Mapping[str, Sequence[OrderReport]]
    fills: Mapping[str, Sequence[FillReport]]
    balances: Sequence[BalanceReport] | None
    problem: PlatformError | None
    #: What the account holds of swaps; None if that was not asked, or not answered.
    positions: Sequence[PositionReport] | None = None

    def lists(self, client_order_id: str) -> bool:
        """Tell whether an order is among those that rest."""
        return any(
            report.client_order_id == client_order_id
            for reports in self.open_orders.values()
            for report in reports
        )


@dataclass(slots=True)
class _Heard:
    """What was answered so far."""

    orders: dict[str, OrderReport | None] = field(default_factory=dict)
    resting: dict[str, Sequence[OrderReport]] = field(default_factory=dict)
    fills: dict[str, Sequence[FillReport]] = field(default_factory=dict)
    balances: Sequence[BalanceReport] | None = None
    positions: Sequence[PositionReport] | None = None


async def ask(client: VenueClient, *, lookups: Lookups) -> Answers:
    """Ask everything; what was answered before something went wrong counts."""
    heard = _Heard()
    problem: PlatformError | None = None
    try:
        async with asyncio.timeout(_ASKING_IN_TIMEOUTS * settings.HORIZONS.venue_timeout_s):
            await _ask(client, lookups, heard)
    except TimeoutError:
        problem = VenueTimeoutError("The exchange did not answer everything in time.")
    except VenueError as error:
        problem = error
    return Answers(
        lookups.account_id,
        heard.orders,
        heard.resting,
        heard.fills,
        heard.balances,
        problem,
        positions=heard.positions,
    )


def unanswered(account_id: int, *, problem: PlatformError) -> Answers:
    """Return the answers of a venue that could not even be asked."""
    return Answers(account_id, {}, {}, {}, None, problem)


async def _ask(client: VenueClient, lookups: Lookups, heard: _Heard) -> None:
    for symbol in lookups.symbols:
        heard.resting[symbol] = await client.open_orders(symbol)
    listed = {report.client_order_id for reports in heard.resting.values() for report in reports}
    missing = [each for each in lookups.orders if each[1] not in listed][:MOST_SINGLE]
    for number, (symbol, client_order_id) in enumerate(missing):
        if number:
            await asyncio.sleep(_PAUSE_IN_INTERVALS * settings.HORIZONS.lookup_interval_s)
        heard.orders[client_order_id] = await client.find_order(
            symbol=symbol,
            client_order_id=client_order_id,
            is_stop=client_order_id in lookups.stops,
        )
    # After the orders: what one of them tells to have filled is then among the executions.
    for symbol in lookups.symbols:
        heard.fills[symbol] = await client.fills_since(symbol, since=_since(symbol, lookups, heard))
    if any(is_swap(symbol) for symbol in lookups.symbols):
        heard.positions = await client.positions()
    heard.balances = await client.balances()


def _since(symbol: str, lookups: Lookups, heard: _Heard) -> datetime:
    """Return from when on executions are missing: from before each order that has filled unbooked."""
    reports = [*heard.resting[symbol], *(each for each in heard.orders.values() if each)]
    unbooked = [
        booked.submitted_at - _CLOCKS_DIFFER
        for report in reports
        if report.symbol == symbol
        and (booked := lookups.booked.get(report.client_order_id)) is not None
        and report.filled_quantity > booked.quantity
    ]
    return min(lookups.fills_since, *unbooked) if unbooked else lookups.fills_since


def is_swap(symbol: str) -> bool:
    """Tell a swap by its unified code, which names after a colon what it is settled in."""
    return ":" in symbol
