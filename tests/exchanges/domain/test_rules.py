"""Careful rules for an instrument of which only candles are known."""

from decimal import Decimal

from exchanges.domain.rules import derive_rules
from market.candles import Candles
from tests.factories.exchanges import make_candles


def test_steps_are_those_that_the_data_shows():
    candles = make_candles([100.25, 101.5, 99.75])

    rules = derive_rules(candles, quote="USDT")

    assert rules.tick_size == Decimal("0.01")
    assert rules.lot_step == Decimal(1)
    assert rules.minimum_quantity == Decimal(1)
    assert rules.minimum_notional == Decimal(10)


def test_tiny_prices_have_tiny_steps():
    rows = [(hour, 9e-06, 1.2e-05, 8e-06, 1.1e-05, 0.001) for hour in range(3)]

    rules = derive_rules(Candles.from_rows(rows), quote="BTC")

    assert (rules.tick_size, rules.lot_step) == (Decimal("0.000001"), Decimal("0.001"))
    assert rules.minimum_notional == Decimal("0.0001")


def test_a_little_noise_of_floats_does_not_make_the_step_absurd():
    candles = make_candles([1.1 + 0.1 * n for n in range(50)])

    assert derive_rules(candles, quote="USDT").tick_size == Decimal("0.1")
