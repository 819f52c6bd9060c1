"""The arithmetic of positions and margins, whatever is traded in whatever order."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exchanges.simulator.futures import margin
from exchanges.simulator.futures.margin import BRACKETS
from exchanges.simulator.futures.records import HeldPosition
from market.enums import Side

ZERO = Decimal(0)
CENT = Decimal("0.01")

quantities = st.integers(1, 5_000).map(lambda lots: lots * Decimal("0.001"))
prices = st.integers(10_000, 90_000).map(Decimal)
fills = st.tuples(st.sampled_from(Side), quantities, prices)


def flat(*, leverage: int = 10, is_isolated: bool = False) -> HeldPosition:
    return HeldPosition(1, "BTCUSDT", ZERO, ZERO, leverage, is_isolated, ZERO, 0)


def trade(position: HeldPosition, side: Side, quantity: Decimal, price: Decimal):
    return margin.fill_position(position, side=side, quantity=quantity, price=price, at_ms=0)


@given(st.lists(fills, min_size=1, max_size=12), prices)
def test_what_is_realized_and_open_is_what_was_paid_and_received(executions, mark):
    position, realized, cash = flat(), ZERO, ZERO
    for side, quantity, price in executions:
        position, earned = trade(position, side, quantity, price)
        realized += earned
        cash -= quantity * price * (1 if side is Side.BUY else -1)

    worth = cash + position.quantity * mark
    assert abs(realized + margin.unrealized(position, mark) - worth) < CENT
    assert (position.entry_price == 0) == (position.quantity == 0)


@given(st.sampled_from(Side), quantities, quantities, prices)
def test_an_isolated_position_gives_back_what_was_set_aside(side, first, second, price):
    opposite = Side.SELL if side is Side.BUY else Side.BUY
    held, _ = trade(flat(is_isolated=True), side, first + second, price)
    assert held.isolated_wallet == margin.initial_margin((first + second) * price, 10)

    reduced, _ = trade(held, opposite, first, price)
    closed, _ = trade(reduced, opposite, second, price)

    assert ZERO < reduced.isolated_wallet < held.isolated_wallet
    assert (closed.quantity, closed.isolated_wallet) == (ZERO, ZERO)


@given(st.sampled_from(Side), quantities, prices, st.integers(2, 100))
def test_at_its_liquidation_price_a_position_is_backed_by_just_what_it_needs(
    side, quantity, price, leverage
):
    held, _ = trade(flat(leverage=leverage, is_isolated=True), side, quantity, price)
    backing = held.isolated_wallet
    limit = margin.liquidation_price(held, mark=price, backing=backing)
    size = abs(held.quantity)
    if not limit or margin.bracket_of(size * limit) != margin.bracket_of(size * price):
        return  # The price is worked out with the bracket of today's mark, as the venue does.

    balance = backing + margin.unrealized(held, limit)

    assert abs(balance - margin.maintenance_margin(size * limit)) < CENT
    assert (limit < price) == (side is Side.BUY)


def test_the_maintenance_margin_has_no_steps():
    for below, above in pairwise(BRACKETS):
        floor = above.floor
        assert floor * below.rate - below.amount == floor * above.rate - above.amount
