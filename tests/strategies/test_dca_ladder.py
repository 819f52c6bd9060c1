"""The DCA ladder as specified."""

import pytest

from market.candles import Candles
from market.timeframes import HOUR_MS, MINUTE_MS, Timeframe
from strategies.definitions import dca_ladder
from strategies.definitions.dca_ladder import Params
from strategies.parameters import describe
from strategies.registry import InvalidParametersError, get_definition, validate_params
from strategies.rules import Ladder, PartialTarget, SizingMode, TradeDirection
from strategies.signals import ENTER_AT_LIMIT
from strategies.views import MarketView

DCA = get_definition("dca-ladder")


def view_of(closes, timeframe=Timeframe.M1):
    rows = [(i * HOUR_MS, c, c, c, c, 1.0) for i, c in enumerate(map(float, closes))]
    return MarketView(Candles.from_rows(rows), timeframe)


def test_every_close_is_quoted_as_a_limit_order():
    signals = dca_ladder.signals(view_of([100, 90, 95]), Params())

    assert signals.enter_long.all()
    assert signals.ready.all()
    assert not signals.enter_short.any()
    assert not signals.exit_long.any()
    assert signals.entry_kind is not None
    assert signals.entry_price is not None
    assert set(signals.entry_kind.tolist()) == {ENTER_AT_LIMIT}
    assert signals.entry_price.tolist() == [100.0, 90.0, 95.0]


@pytest.mark.parametrize(
    ("seconds", "timeframe", "bars"),
    [
        (60, Timeframe.M1, 1),
        (61, Timeframe.M1, 2),
        (300, Timeframe.M1, 5),
        (60, Timeframe.H1, 1),
        (1, Timeframe.S1, 1),
        (90, Timeframe.S1, 90),
    ],
)
def test_the_patience_is_kept_in_whole_bars(seconds, timeframe, bars):
    signals = dca_ladder.signals(view_of([1, 2], timeframe), Params(entry_ttl_seconds=seconds))

    assert signals.entry_bars is not None
    assert set(signals.entry_bars.tolist()) == {bars}


def test_no_candles_no_signals():
    assert len(dca_ladder.signals(view_of([]), Params())) == 0


def test_rules_are_the_ladder_the_three_targets_and_the_rising_stop():
    rules = dca_ladder.rules(Params(max_cycles=3))

    assert rules.ladder == Ladder(steps=5, deviation_percent=1.0, quote=10.0, scale=1.0)
    assert rules.partial_targets == (PartialTarget(1.0, 40.0), PartialTarget(3.0, 40.0))
    assert (rules.target_percent, rules.stop_percent) == (20.0, 5.0)
    assert rules.stop_ratchet
    assert rules.anchor_includes_fees
    assert (rules.sizing, rules.size) == (SizingMode.FIXED_QUOTE, 10.0)
    assert rules.cooldown_ms == 15 * MINUTE_MS
    assert rules.max_trades == 3
    assert rules.direction is TradeDirection.LONG


def test_without_safety_orders_there_is_no_ladder():
    assert dca_ladder.rules(Params(max_safety_orders=0)).ladder is None


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ({}, 60.0),
        ({"max_safety_orders": 0}, 10.0),
        ({"safety_order_scale_factor": 2.0, "max_safety_orders": 4}, 10 + 10 * (1 + 2 + 4 + 8)),
        ({"base_order_size_usdt": 100.0, "safety_order_size_usdt": 7.5}, 100 + 5 * 7.5),
    ],
)
def test_the_least_capital_pays_for_the_whole_ladder(values, needed):
    assert DCA.least_capital(Params(**values)) == pytest.approx(needed)


def test_other_strategies_need_no_certain_capital():
    ema = get_definition("ema-crossover")

    assert ema.least_capital(ema.default_params()) == 0


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"tp2_percent": 1.0}, "tp2_percent", "inconsistent"),
        ({"tp3_percent": 3.0}, "tp3_percent", "inconsistent"),
        (
            {"max_safety_orders": 50, "safety_order_deviation_percent": 2.0},
            "max_safety_orders",
            "inconsistent",
        ),
        ({"max_safety_orders": 51}, "max_safety_orders", "out_of_range"),
        ({"tp1_sell_percent": 100.0}, "tp1_sell_percent", "out_of_range"),
        ({"stop_loss_percent": 0.0}, "stop_loss_percent", "out_of_range"),
        ({"base_order_size_usdt": 0.0}, "base_order_size_usdt", "out_of_range"),
        ({"direction": "SHORT"}, "direction", "wrong_type"),
    ],
)
def test_what_cannot_be_is_refused(values, field, code):
    with pytest.raises(InvalidParametersError) as caught:
        validate_params(DCA, values)

    assert [(each.field, each.code) for each in caught.value.problems] == [(field, code)]


def test_the_only_direction_is_offered_as_a_choice_of_one():
    direction = next(each for each in describe(DCA.json_schema()) if each.name == "direction")

    assert (direction.kind, direction.choices) == ("choice", ("LONG",))


def test_overlays_are_the_levels_of_a_cycle_that_would_begin_there():
    target, stop, last = dca_ladder.overlays(view_of([100, 200]), Params())

    assert target.values.tolist() == [101.0, 202.0]
    assert stop.values.tolist() == [95.0, 190.0]
    assert last.values.tolist() == [95.0, 190.0]
