"""Counting lots and ticks must be exact: a lot lost here is a lot never sold."""

from decimal import ROUND_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import money

STEPS = st.sampled_from(["0.00001", "0.001", "0.05", "0.1", "0.5", "1", "25", "1000"]).map(Decimal)
COUNTS = st.integers(min_value=0, max_value=10**15)


class TestLots:
    @given(count=COUNTS, step=STEPS)
    def test_a_whole_number_of_lots_survives_the_round_trip(self, count, step):
        quantity = money.from_lots(count, step=step)

        assert quantity == count * step
        assert money.to_lots(quantity, step=step) == count

    @given(
        quantity=st.decimals(min_value=0, max_value=10**9, places=18, allow_nan=False), step=STEPS
    )
    def test_rounding_never_asks_for_more_and_loses_less_than_one_lot(self, quantity, step):
        rounded = money.quantize_quantity(quantity, step=step)

        assert 0 <= quantity - rounded < step
        assert rounded == money.from_lots(money.to_lots(quantity, step=step), step=step)

    def test_a_short_quantity_is_rounded_toward_zero(self):
        assert money.to_lots(Decimal("-0.19"), step=Decimal("0.1")) == -1

    @pytest.mark.parametrize("step", ["0", "-0.1", "NaN", "Infinity"])
    def test_a_step_that_is_no_step_is_refused(self, step):
        with pytest.raises(ValueError, match="positive"):
            money.to_lots(Decimal(1), step=Decimal(step))


class TestTicks:
    @given(count=COUNTS, tick=STEPS)
    def test_a_whole_number_of_ticks_survives_the_round_trip(self, count, tick):
        assert money.to_ticks(money.from_ticks(count, tick=tick), tick=tick) == count

    def test_a_price_goes_to_the_nearest_tick_and_to_the_even_one_between_two(self):
        tick = Decimal("0.5")

        assert money.quantize_price(Decimal("10.3"), tick=tick) == Decimal("10.5")
        assert money.quantize_price(Decimal("10.25"), tick=tick) == Decimal("10.0")
        assert money.quantize_price(Decimal("10.01"), tick=tick, rounding=ROUND_UP) == Decimal(
            "10.5"
        )


class TestFloats:
    def test_a_float_becomes_the_decimal_that_it_is_written_as(self):
        assert money.decimal_of(0.1) == Decimal("0.1")
        assert money.decimal_of(5e-324) == Decimal("5E-324")

    @given(value=st.floats(allow_nan=False, allow_infinity=False))
    def test_a_float_survives_the_way_through_decimal(self, value):
        assert money.float_of(money.decimal_of(value)) == value

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_what_is_no_amount_is_refused(self, value):
        with pytest.raises(ValueError, match="not an amount"):
            money.decimal_of(value)

    def test_a_decimal_that_is_no_amount_is_refused(self):
        with pytest.raises(ValueError, match="not an amount"):
            money.float_of(Decimal("NaN"))

    def test_money_is_rounded_to_what_a_row_holds(self):
        assert money.quantize_money(Decimal(1) / 3) == Decimal("0.333333333333333333")
        assert money.quantize_money(Decimal("1e19")) == Decimal("1e19")
