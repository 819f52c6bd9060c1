"""The DCA ladder as specified."""

import pytest

from market.candles import Candles
from market.costs import Costs
from market.enums import InstrumentKind, Leg, Side
from market.timeframes import HOUR_MS, MINUTE_MS, Timeframe
from strategies.definitions import dca_ladder
from strategies.definitions.dca_ladder import Params
from strategies.parameters import describe
from strategies.registry import InvalidParametersError, get_definition, validate_params
from strategies.rules import Ladder, PartialTarget, SizingMode, TradeDirection
from strategies.signals import ENTER_AT_LIMIT
from strategies.views import MarketView
from tests.strategies.calendars import trade

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


#: So fine that only the arithmetic shows.
FINE = Costs(0, 0, 0, 0, tick_size=0.0001, lot_step=1e-9, minimum_notional=0)


class TestCheckTable:
    """The published table: first fill at 100, equal sizes in quote, steps of one percent."""

    def ladder(self, *moves):
        """Return the run of the defaults over a signal and a fill at 100, and the bars that follow."""
        bars = [(100.0,) * 4, (100.0,) * 4, *moves]
        rows = [(i * MINUTE_MS, *bar, 1.0) for i, bar in enumerate(bars)]
        view = MarketView(Candles.from_rows(rows), Timeframe.M1)
        return trade(DCA, view, InstrumentKind.SPOT, costs=FINE)

    @pytest.mark.parametrize(
        ("fills", "average", "target", "stop"),
        [
            (0, 100.0, 101.0, 95.0),
            (1, 99.4975, 100.4925, 94.5226),
            (2, 98.9933, 99.9832, 94.0436),
            (3, 98.4873, 99.4722, 93.5629),
            (4, 97.9796, 98.9594, 93.0806),
            (5, 97.4701, 98.4448, 92.5966),
        ],
    )
    def test_after_each_safety_fill_average_target_and_stop_follow(
        self, fills, average, target, stop
    ):
        low = 100.0 - fills
        state = self.ladder((100.0, 100.0, low, low)).state

        assert state.average_price == pytest.approx(average, abs=5e-5)
        assert state.target_ticks * FINE.tick_size == pytest.approx(target, abs=1.5e-4)
        assert state.stop_ticks * FINE.tick_size == pytest.approx(stop, abs=1.5e-4)

    def test_the_slices_are_two_fifths_of_what_is_held_each_time(self):
        result = self.ladder(
            (100.0, 100.0, 97.0, 97.0), (97.0, 99.5, 97.0, 99.5), (99.5, 130.0, 99.5, 130.0)
        )

        bought = sum(fill.lots for fill in result.fills if fill.side is Side.BUY)
        sold = [fill.lots / bought for fill in result.fills if fill.side is Side.SELL]
        assert sold == pytest.approx([0.40, 0.24, 0.36], abs=1e-6)
        assert [fill.leg for fill in result.fills[:4]] == [Leg.ENTRY, *[Leg.LADDER] * 3]
