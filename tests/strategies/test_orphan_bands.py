"""The Orphan's bands as specified."""

from typing import Any

import numpy as np
import pytest

from market.enums import InstrumentKind
from market.errors import InvalidInputError
from market.timeframes import Timeframe
from strategies.causality import check_causality, generated_candles
from strategies.definitions import orphan_bands
from strategies.definitions.orphan_bands import Params
from strategies.registry import get_definition, validate_params
from strategies.rules import SizingMode
from strategies.shapes import StrategyParams
from tests.strategies.sequences import mirrored, spoken, view_of

DEFINITION = get_definition("orphan-bands")
SMALL: dict[str, Any] = {
    "bb_length": 5,
    "bb_stdev": 1.5,
    "trend_period": 10,
    "vol_filter_length": 3,
    "vol_ma_length": 4,
}
#: A steady rise, a dip below the lower band, a recovery through it, and a rise through the upper.
RECOVERY = [
    *[100 + 0.5 * index for index in range(20)],
    *(107, 109.7, 110.2, 110.5, 112, 113, 113, 113),
]
#: A long fall, a rest, and a spike through the upper band far below the trend.
SPIKE = [*[100 - 2 * index for index in range(20)], *[62, 62.1] * 3, 64, 63, 62, 62]


def said_of(closes, **changes):
    return spoken(orphan_bands.signals(view_of(closes), Params(**{**SMALL, **changes})))


class TestParameters:
    def test_defaults_are_the_published_ones(self):
        own = Params().model_dump(exclude={*StrategyParams.model_fields})

        assert own == {
            "bb_length": 14,
            "bb_stdev": 2.1,
            "trend_period": 90,
            "vol_filter_length": 15,
            "vol_ma_length": 28,
            "short_trigger": "PIERCE",
            "bb_exit": True,
            "bb_exit_delay": 1,
            "sl_percent": 2.0,
            "tp_percent": 9.0,
            "use_trailing": True,
            "trail_stop_activation_percent": 0.5,
            "trail_offset_percent": 0.5,
            "position_size_percent_equity": 10.0,
        }
        assert orphan_bands.requirements(Params()).warm_up_bars == 450

    def test_a_short_trend_still_waits_for_bands_and_volatility(self):
        params = Params(trend_period=1, vol_filter_length=100, vol_ma_length=50)

        assert orphan_bands.requirements(params).warm_up_bars == 100 + 50 - 1 + 3

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("bb_length", 0),
            ("bb_stdev", 0.05),
            ("bb_stdev", 10.1),
            ("trend_period", 1_001),
            ("vol_filter_length", 1),
            ("vol_ma_length", 501),
            ("sl_percent", 50.1),
            ("tp_percent", 500.1),
            ("trail_stop_activation_percent", -0.1),
            ("trail_offset_percent", 0.05),
            ("position_size_percent_equity", 100.1),
            ("bb_exit_delay", -1),
        ],
    )
    def test_limits_are_kept(self, name, value):
        with pytest.raises(InvalidInputError) as caught:
            validate_params(DEFINITION, {name: value})

        problems = [(each.field, each.code) for each in caught.value.problems]
        assert problems == [(name, "out_of_range")]


class TestSignals:
    def test_it_buys_the_recovery_and_leaves_a_bar_after_the_upper_band_is_passed(self):
        assert said_of(RECOVERY) == {
            "enter_long": [21],
            "exit_long": [26],
            "exit_short": [21],
        }

    def test_without_delay_it_leaves_at_the_band(self):
        assert said_of(RECOVERY, bb_exit_delay=0)["exit_long"] == [25]

    def test_without_band_exits_it_never_leaves_by_signal(self):
        assert set(said_of(RECOVERY, bb_exit=False)) == {"enter_long"}

    def test_it_sells_the_spike_or_the_way_back(self):
        assert said_of(SPIKE, trend_period=20)["enter_short"] == [26]
        assert said_of(SPIKE, trend_period=20, short_trigger="REENTER")["enter_short"] == [27]

    def test_sold_on_the_way_back_is_the_mirror_image_of_buying(self):
        said = said_of(mirrored(RECOVERY), short_trigger="REENTER")

        assert said == {"enter_short": [21], "exit_short": [26], "exit_long": [21]}

    def test_nothing_is_bought_below_the_trend(self):
        falling = [*[100 - 0.5 * index for index in range(20)], 87, 89.7, 90.2, 90.5]

        assert "enter_long" not in said_of(falling)

    def test_nothing_is_entered_while_volatility_shrinks(self):
        quiet = [*RECOVERY[:20], 109.2, 109.7, 110.2]

        assert "enter_long" not in said_of(quiet, bb_stdev=0.1)
        # Nothing is above the mean of itself alone.
        assert "enter_long" not in said_of(RECOVERY, vol_ma_length=1)

    def test_nothing_is_said_before_every_line_exists_on_two_bars(self):
        said = orphan_bands.signals(view_of(RECOVERY), Params(**SMALL))

        assert np.flatnonzero(said.ready)[0] == 10

    @pytest.mark.parametrize("length", [0, 1, 5, 11])
    def test_too_short_a_history_says_nothing(self, length):
        said = orphan_bands.signals(view_of(RECOVERY[:length]), Params(**SMALL, bb_exit_delay=10))

        assert len(said) == length
        assert spoken(said) == {}

    @pytest.mark.parametrize("trigger", ["PIERCE", "REENTER"])
    @pytest.mark.parametrize("delay", [0, 3])
    def test_every_variant_is_causal(self, trigger, delay):
        params = Params(**SMALL, short_trigger=trigger, bb_exit_delay=delay)

        assert check_causality(DEFINITION, params, generated_candles(900), Timeframe.H1) == ()


class TestRules:
    def test_they_carry_stop_target_and_trail_and_size_by_notional(self):
        rules = orphan_bands.rules(Params())

        assert (rules.stop_percent, rules.target_percent, rules.size) == (2.0, 9.0, 10.0)
        assert (rules.trail_activation_percent, rules.trail_offset_percent) == (0.5, 0.5)
        assert rules.sizing is SizingMode.NOTIONAL

    def test_the_trail_can_be_switched_off(self):
        assert orphan_bands.rules(Params(use_trailing=False)).trail_offset_percent == 0

    def test_on_spot_it_only_buys(self):
        rules = orphan_bands.rules(Params()).for_market(InstrumentKind.SPOT, Timeframe.H1)

        assert rules.may_go_long
        assert not rules.may_go_short


def test_overlays_are_the_bands_and_the_trend():
    lines = orphan_bands.overlays(view_of(RECOVERY), Params(**SMALL))

    assert [line.name for line in lines] == ["Upper band", "Lower band", "EMA 10"]
    assert lines[0].values[4] == pytest.approx(101 + 1.5 * np.std([100, 100.5, 101, 101.5, 102]))
    assert {line.pane for line in lines} == {""}
