"""What a position needs, earns and when it is taken away: the arithmetic of USD-M futures.

Formulas after the venue's own guides: initial margin = notional / leverage; maintenance margin =
notional x rate - amount, with rate and amount of the bracket of the notional; a cross account is
liquidated when its margin balance falls to its maintenance margin.
https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from exchanges.simulator.futures.records import FuturesOrder, HeldPosition
from market.enums import Side

_ZERO: Final = Decimal(0)
_QUANTUM: Final = Decimal("0.00000001")


class Bracket(NamedTuple):
    """For notionals from ``floor`` up to ``cap``: highest leverage, maintenance rate and amount."""

    floor: Decimal
    cap: Decimal
    leverage: int
    rate: Decimal
    amount: Decimal


def _bracket(floor: int, cap: int, leverage: int, rate: str, amount: str) -> Bracket:
    return Bracket(Decimal(floor), Decimal(cap), leverage, Decimal(rate), Decimal(amount))


#: One table for every market; the amounts make the maintenance margin continuous.
BRACKETS: Final = (
    _bracket(0, 50_000, 125, "0.004", "0"),
    _bracket(50_000, 500_000, 100, "0.005", "50"),
    _bracket(500_000, 10_000_000, 50, "0.01", "2550"),
    _bracket(10_000_000, 100_000_000, 20, "0.025", "152550"),
    _bracket(100_000_000, 1_000_000_000, 5, "0.1", "7652550"),
)


def bracket_of(notional: Decimal) -> Bracket:
    """Return the bracket of a notional >= 0."""
    return next((bracket for bracket in BRACKETS if notional < bracket.cap), BRACKETS[-1])


def maintenance_margin(notional: Decimal) -> Decimal:
    """Return what a position of this size must be backed by, so that it is not liquidated."""
    bracket = bracket_of(notional)
    return _rounded(notional * bracket.rate - bracket.amount)


def unrealized(position: HeldPosition, mark: Decimal) -> Decimal:
    """Return what closing *position* at *mark* would earn."""
    return _rounded(position.quantity * (mark - position.entry_price))


def initial_margin(notional: Decimal, leverage: int) -> Decimal:
    """Return what opening a position of this size takes."""
    return _rounded(notional / leverage)


@dataclass(frozen=True, slots=True)
class PositionFigures:
    """One position at a mark price."""

    position: HeldPosition
    mark: Decimal
    notional: Decimal
    unrealized: Decimal
    initial: Decimal
    maintenance: Decimal
    orders_initial: Decimal
    liquidation_price: Decimal


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """All of an account at the mark prices of one instant, in one settle currency.

    ``cross_wallet`` is the wallet without what is set aside for isolated positions;
    ``available`` is what new orders may use.
    """

    wallet: Decimal
    cross_wallet: Decimal
    cross_unrealized: Decimal
    positions: tuple[PositionFigures, ...]

    @property
    def unrealized(self) -> Decimal:
        """What closing everything now would earn."""
        return sum((entry.unrealized for entry in self.positions), _ZERO)

    @property
    def initial(self) -> Decimal:
        """What all positions and orders take."""
        return sum((entry.initial + entry.orders_initial for entry in self.positions), _ZERO)

    @property
    def maintenance(self) -> Decimal:
        """What all positions must be backed by."""
        return sum((entry.maintenance for entry in self.positions), _ZERO)

    @property
    def available(self) -> Decimal:
        """What a new order may take, never below zero."""
        taken = sum(
            (
                (_ZERO if entry.position.is_isolated else entry.initial) + entry.orders_initial
                for entry in self.positions
            ),
            _ZERO,
        )
        return max(self.cross_wallet + self.cross_unrealized - taken, _ZERO)


def figure(
    wallet: Decimal,
    positions: Iterable[HeldPosition],
    orders: Mapping[str, Iterable[FuturesOrder]],
    marks: Mapping[str, Decimal],
) -> AccountFigures:
    """Work out an account; *orders* holds its open orders by market, *marks* a price for each."""
    held = list(positions)
    cross_wallet = wallet - sum((position.isolated_wallet for position in held), _ZERO)
    crossed = [position for position in held if not position.is_isolated]
    cross_unrealized = sum((unrealized(p, marks[p.symbol]) for p in crossed), _ZERO)
    needs = {p.symbol: maintenance_margin(abs(p.quantity) * marks[p.symbol]) for p in held}
    figures = []
    for position in held:
        mark = marks[position.symbol]
        notional = position.quantity * mark
        own = unrealized(position, mark)
        if position.is_isolated:
            backing = position.isolated_wallet
        else:
            others = sum((needs[p.symbol] for p in crossed if p is not position), _ZERO)
            backing = cross_wallet + cross_unrealized - own - others
        figures.append(
            PositionFigures(
                position=position,
                mark=mark,
                notional=_rounded(notional),
                unrealized=own,
                initial=initial_margin(abs(notional), position.leverage),
                maintenance=needs[position.symbol],
                orders_initial=_orders_initial(position, orders.get(position.symbol, ()), mark),
                liquidation_price=liquidation_price(position, mark=mark, backing=backing),
            )
        )
    return AccountFigures(wallet, cross_wallet, cross_unrealized, tuple(figures))


def liquidation_price(position: HeldPosition, *, mark: Decimal, backing: Decimal) -> Decimal:
    """Return the mark price at which *position* is taken away, 0 if no price does that.

    *backing* is the wallet behind it, less what the other positions need. It solves
    backing + quantity x (price - entry) = |quantity| x price x rate - amount.
    """
    size = abs(position.quantity)
    if not size:
        return _ZERO
    bracket = bracket_of(size * mark)
    slope = size * bracket.rate - position.quantity
    if not slope:
        return _ZERO
    price = (backing + bracket.amount - position.quantity * position.entry_price) / slope
    return max(_rounded(price), _ZERO)


def fill_position(
    position: HeldPosition, *, side: Side, quantity: Decimal, price: Decimal, at_ms: int
) -> tuple[HeldPosition, Decimal]:
    """Return *position* after an execution, and what it realized.

    What is set aside for an isolated position grows by the initial margin of what is added, and
    shrinks with what is closed.
    """
    signed = quantity if side is Side.BUY else -quantity
    before, after = position.quantity, position.quantity + signed
    realized, entry, aside = _ZERO, position.entry_price, position.isolated_wallet
    if before * signed >= 0:
        entry = (before * entry + signed * price) / after
        aside += initial_margin(quantity * price, position.leverage)
    else:
        closed = min(abs(signed), abs(before))
        realized = _rounded(closed * (price - entry) * (1 if before > 0 else -1))
        aside = _rounded(aside * (abs(before) - closed) / abs(before))
        if before * after < 0:
            entry = price
            aside = initial_margin(abs(after) * price, position.leverage)
        elif not after:
            entry = _ZERO
    held = HeldPosition(
        account_id=position.account_id,
        symbol=position.symbol,
        quantity=after,
        entry_price=_rounded(entry),
        leverage=position.leverage,
        is_isolated=position.is_isolated,
        isolated_wallet=aside if position.is_isolated else _ZERO,
        updated_ms=at_ms,
    )
    return held, realized


def _orders_initial(
    position: HeldPosition, orders: Iterable[FuturesOrder], mark: Decimal
) -> Decimal:
    """Return what the open orders of a market take beyond its position.

    The worse of two sides counts: everything bought, or everything sold.
    """
    bids = asks = _ZERO
    for order in orders:
        if not order.reduce_only and order.side is Side.BUY:
            bids += order.remaining * (order.price or mark)
        elif not order.reduce_only:
            asks += order.remaining * (order.price or mark)
    notional = position.quantity * mark
    worst = max(abs(notional + bids), abs(notional - asks))
    return initial_margin(max(worst - abs(notional), _ZERO), position.leverage)


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_QUANTUM, rounding=ROUND_HALF_UP)
