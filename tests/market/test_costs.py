"""Costs: rates from basis points, and steps that floats must not lose."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.costs import Costs
from market.enums import Liquidity, Side

COSTS = Costs(
    maker_fee_bps=2,
    taker_fee_bps=10,
    slippage_bps=5,
    spread_bps=4,
    tick_size=0.01,
    lot_step=0.001,
    minimum_notional=5,
)


def test_a_taker_pays_slippage_and_half_of_the_spread_against_him():
    assert COSTS.slipped(10_000, Side.BUY) == pytest.approx(10_007)
    assert COSTS.slipped(10_000, Side.SELL) == pytest.approx(9_993)


def test_fees_depend_on_liquidity():
    assert COSTS.fee_rate(Liquidity.MAKER) == pytest.approx(0.0002)
    assert COSTS.fee_rate(Liquidity.TAKER) == pytest.approx(0.001)


@given(
    ticks=st.integers(min_value=1, max_value=10**9),
    tick=st.sampled_from(["0.01", "0.1", "0.05", "0.00001", "0.5"]),
)
def test_a_price_on_the_grid_is_not_moved_by_binary_noise(ticks, tick):
    costs = replace(COSTS, tick_size=float(tick))
    price = float(ticks * Decimal(tick))

    assert costs.ticks_up(price) == ticks
    assert costs.ticks_down(price) == ticks


@given(lots=st.integers(min_value=0, max_value=10**9), step=st.sampled_from(["0.1", "0.001", "5"]))
def test_a_whole_number_of_lots_is_not_floored_away(lots, step):
    costs = replace(COSTS, lot_step=float(step))

    assert costs.lots_down(float(lots * Decimal(step))) == lots


def test_a_price_between_two_ticks_is_rounded_as_asked():
    assert COSTS.ticks_up(1.001) == 101
    assert COSTS.ticks_down(1.009) == 100


def test_costs_are_built_from_exact_rules_with_the_minimum_rounded_up_to_a_lot():
    costs = Costs.from_decimals(
        maker_fee_bps=Decimal(2),
        taker_fee_bps=Decimal(10),
        slippage_bps=Decimal(5),
        spread_bps=Decimal(4),
        tick_size=Decimal("0.01"),
        lot_step=Decimal("0.001"),
        minimum_notional=Decimal(5),
        minimum_quantity=Decimal("0.0025"),
    )

    assert costs == replace(COSTS, minimum_lots=3)


@pytest.mark.parametrize(
    "change",
    [
        {"tick_size": 0},
        {"tick_size": float("nan")},
        {"lot_step": -1},
        {"taker_fee_bps": 10_000},
        {"slippage_bps": -1},
        {"spread_bps": float("nan")},
        {"minimum_notional": -1},
        {"minimum_lots": -1},
    ],
)
def test_senseless_costs_are_refused(change):
    with pytest.raises(ValueError, match="must"):
        replace(COSTS, **change)
