"""Executions, of a deployment or of its replay, as round trips: the same arithmetic for both.

All amounts are exact decimals; the result of a trip is what it took in and paid, what is left of it
valued at the last price.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from typing import Final

from market import money
from market.enums import Side

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill; ``fee`` is in the settle currency, ``lost`` how many base units that fee took away.

    ``decided_ms`` is the close at which its order was decided, ``order`` tells the fills of one order
    from those of another and ``ordered`` is that order's quantity; ``at_open`` tells that a fill at
    the border of two bars belongs to the later one.
    """

    symbol: str
    at_ms: int
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    decided_ms: int
    order: str
    ordered: Decimal
    by_hand: bool = False
    lost: Decimal = _ZERO
    at_open: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """What a funding brought, negative what it took, in the settle currency."""

    symbol: str
    at_ms: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """From flat to flat, or to the end; ``exit_price`` values what is left at the last price.

    ``direction`` is 1 for long and -1 for short; ``ordered`` is what its entries were to be,
    ``quantity`` what they became. ``fees`` and ``funding`` are what was paid, and negative what was received.
    ``is_open`` tells that something is left.
    """

    symbol: str
    direction: int
    decided_ms: int
    entry_ms: int
    exit_ms: int
    ordered: Decimal
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    pnl: Decimal
    is_open: bool
    by_hand: bool
    funding: Decimal = _ZERO


@dataclass(slots=True)
class _Trip:
    """A round trip under way."""

    first: Execution
    entered: Decimal = _ZERO
    paid: Decimal = _ZERO
    left: Decimal = _ZERO
    lost: Decimal = _ZERO
    lost_worth: Decimal = _ZERO
    taken: Decimal = _ZERO
    fees: Decimal = _ZERO
    exit_ms: int = 0
    by_hand: bool = False
    orders: dict[str, Decimal] = field(default_factory=dict)

    @property
    def held(self) -> Decimal:
        return self.entered - self.lost - self.left

    def add(self, each: Execution) -> None:
        self.fees += each.fee
        self.lost += each.lost
        self.lost_worth += each.lost * each.price
        if each.side is self.first.side:
            self.entered += each.quantity
            self.paid += each.quantity * each.price
            self.orders[each.order] = each.ordered
            return
        self.left += each.quantity
        self.taken += each.quantity * each.price
        self.exit_ms = each.at_ms
        self.by_hand = self.by_hand or each.by_hand


def round_trips(
    executions: Iterable[Execution],
    *,
    marks: Mapping[str, Decimal],
    steps: Mapping[str, Decimal],
    end_ms: int,
    payments: Iterable[Payment] = (),
) -> list[RoundTrip]:
    """Return the round trips of *executions*, which are in the order of time, by their entries.

    *marks* are the last prices by symbol and *steps* the lot steps: less than one is flat. What is
    open ends at *end_ms*. A fill that turns a position round ends one trip and begins another. *payments* are
    those of fundings; each belongs to the trip under way.
    """
    with localcontext(money.WIDE):
        finished: list[RoundTrip] = []
        under_way: dict[str, _Trip] = {}
        for whole in executions:
            for each in _parts(whole, under_way.get(whole.symbol), steps[whole.symbol]):
                trip = under_way.setdefault(each.symbol, _Trip(each))
                trip.add(each)
                if trip.held < steps[each.symbol]:
                    del under_way[each.symbol]
                    finished.append(_finished(trip, marks[each.symbol], end_ms, is_open=False))
        finished += [
            _finished(trip, marks[symbol], end_ms, is_open=True)
            for symbol, trip in under_way.items()
        ]
        funded = [_funded(trip, payments) for trip in finished]
    return sorted(funded, key=lambda trip: (trip.entry_ms, trip.symbol))


def _funded(trip: RoundTrip, payments: Iterable[Payment]) -> RoundTrip:
    paid = -sum(
        (
            each.amount
            for each in payments
            if each.symbol == trip.symbol
            and trip.entry_ms <= each.at_ms
            and (trip.is_open or each.at_ms < trip.exit_ms)
        ),
        _ZERO,
    )
    return replace(trip, funding=paid, pnl=trip.pnl - paid) if paid else trip


def _parts(whole: Execution, trip: _Trip | None, step: Decimal) -> tuple[Execution, ...]:
    """Return *whole*, in two where it closes what is held and opens the other side."""
    if trip is None or whole.side is trip.first.side or whole.quantity - trip.held < step:
        return (whole,)
    closing = trip.held
    fee = money.quantize_money(whole.fee * closing / whole.quantity)
    rest = whole.quantity - closing
    return (
        replace(whole, quantity=closing, fee=fee, ordered=closing),
        replace(whole, quantity=rest, fee=whole.fee - fee, ordered=rest),
    )


def _finished(trip: _Trip, mark: Decimal, end_ms: int, *, is_open: bool) -> RoundTrip:
    first, rest = trip.first, trip.held
    direction = 1 if first.side is Side.BUY else -1
    out = trip.left + rest
    return RoundTrip(
        symbol=first.symbol,
        direction=direction,
        decided_ms=first.decided_ms,
        entry_ms=first.at_ms,
        exit_ms=end_ms if is_open else trip.exit_ms,
        ordered=sum(trip.orders.values(), _ZERO),
        quantity=trip.entered,
        entry_price=trip.paid / trip.entered,
        exit_price=(trip.taken + rest * mark) / out if out else mark,
        fees=trip.fees,
        pnl=money.quantize_money(
            direction * (trip.taken + rest * mark - trip.paid) + trip.lost_worth - trip.fees
        ),
        is_open=is_open,
        by_hand=trip.by_hand,
    )
