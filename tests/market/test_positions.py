"""What fills do to a position, in every direction and however they are split."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.enums import Direction, Side
from market.money import WIDE, quantize_money
from market.positions import Position, apply_fill, unrealized_pnl

ZERO = Decimal(0)
AMOUNTS = st.decimals(min_value="0.00001", max_value=10**6, places=8)


def filled(position, side, quantity, price, fee="0", fee_in_base="0"):
    return apply_fill(
        position,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_in_base=Decimal(fee_in_base),
    )


def rounded(position):
    return tuple(
        quantize_money(value)
        for value in (
            position.quantity,
            position.average_price,
            position.realized_pnl,
            position.fees,
        )
    )


class TestApplyFill:
    def test_an_entry_opens_at_its_price(self):
        position = filled(Position.flat(), Side.BUY, "2", "100", fee="0.2")

        assert position == Position(Decimal(2), Decimal(100), ZERO, Decimal("0.2"))
        assert position.direction is Direction.LONG

    def test_an_increase_moves_the_average(self):
        position = filled(Position.flat(), Side.SELL, "1", "100")

        position = filled(position, Side.SELL, "3", "104")

        assert (position.quantity, position.average_price) == (Decimal(-4), Decimal(103))
        assert position.direction is Direction.SHORT

    def test_a_reduction_realizes_and_keeps_the_average(self):
        position = filled(Position.flat(), Side.BUY, "4", "100")

        position = filled(position, Side.SELL, "1", "110", fee="0.1")

        assert position == Position(Decimal(3), Decimal(100), Decimal(10), Decimal("0.1"))
        assert position.net_realized_pnl == Decimal("9.9")

    def test_a_short_earns_when_it_is_bought_back_cheaper(self):
        position = filled(Position.flat(), Side.SELL, "2", "100")

        position = filled(position, Side.BUY, "2", "90")

        assert position == Position(ZERO, ZERO, Decimal(20), ZERO)
        assert position.is_flat
        assert position.direction is None

    def test_a_fill_through_zero_closes_and_opens_the_other_way(self):
        position = filled(Position.flat(), Side.BUY, "1", "100")

        position = filled(position, Side.SELL, "3", "120")

        assert position == Position(Decimal(-2), Decimal(120), Decimal(20), ZERO)

    def test_a_fee_in_base_reduces_the_quantity_and_is_valued_at_the_fill(self):
        bought = filled(Position.flat(), Side.BUY, "1", "100", fee_in_base="0.001")
        assert bought == Position(Decimal("0.999"), Decimal(100), ZERO, Decimal("0.1"))

        sold = filled(bought, Side.SELL, "0.999", "110")

        # Paid 100, got 109.89.
        assert sold.net_realized_pnl == Decimal("9.89")
        assert sold.is_flat

    @pytest.mark.parametrize(("quantity", "price"), [("0", "1"), ("-1", "1"), ("1", "0")])
    def test_an_impossible_fill_is_refused(self, quantity, price):
        with pytest.raises(ValueError, match="positive"):
            filled(Position.flat(), Side.BUY, quantity, price)

    @given(
        start=st.decimals(min_value=-1000, max_value=1000, places=5),
        opened_at=AMOUNTS,
        side=st.sampled_from(Side),
        parts=st.lists(AMOUNTS, min_size=1, max_size=6),
        price=AMOUNTS,
        rate=st.decimals(min_value="-0.001", max_value="0.01", places=5),
        base_rate=st.sampled_from([ZERO, Decimal("0.001")]),
    )
    def test_any_split_of_a_fill_gives_the_same_position(
        self, start, opened_at, side, parts, price, rate, base_rate
    ):
        before = (
            Position(start, opened_at if start else ZERO, ZERO, ZERO) if start else Position.flat()
        )
        whole = sum(parts)

        at_once = filled(before, side, whole, price, whole * rate, whole * base_rate)
        in_parts = before
        for part in parts:
            in_parts = filled(in_parts, side, part, price, part * rate, part * base_rate)

        assert rounded(in_parts) == rounded(at_once)

    @given(
        fills=st.lists(st.tuples(st.sampled_from(Side), AMOUNTS, AMOUNTS), max_size=12),
        last=AMOUNTS,
    )
    def test_realized_and_unrealized_add_up_to_the_money_that_moved(self, fills, last):
        position, cash = Position.flat(), ZERO
        with localcontext(WIDE):
            for side, quantity, price in fills:
                position = filled(position, side, quantity, price)
                cash += quantity * price * (1 if side is Side.SELL else -1)
            total = position.realized_pnl + unrealized_pnl(position, last)
            moved = cash + position.quantity * last

        assert quantize_money(total) == quantize_money(moved)
