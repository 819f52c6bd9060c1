"""The MACD on two timeframes as specified."""

from typing import Any

import numpy as np
import pytest

from market.enums import InstrumentKind
from market.errors import InvalidInputError
from market.timeframes import HOUR_MS, Timeframe
from strategies.causality import check_causality, generated_candles
from strategies.definitions import macd_mtf_forecast
from strategies.definitions.macd_mtf_forecast import Params
from strategies.indicators.oscillators import macd
from strategies.registry import get_definition, validate_params
from strategies.rules import SizingMode
from strategies.shapes import StrategyParams
from strategies.views import MarketView
from tests.strategies.sequences import mirrored, spoken, view_of

DEFINITION = get_definition("macd-mtf-forecast")
SMALL: dict[str, Any] = {"htf": "5m", "fast_len": 2, "slow_len": 3, "signal_len": 2}
#: Minutes: rest, a rise (which the 5m bars follow), a dip, and the rise again.
CLOSES = [
    *[100] * 30,
    *[100 + 0.5 * index for index in range(25)],
    *(112, 111, 110, 111, 113, 115, 117, 118),
]


def said_of(closes, **changes):
    params = Params(**{**SMALL, **changes})
    return spoken(macd_mtf_forecast.signals(view_of(closes, Timeframe.M1), params))


class TestParameters:
    def test_defaults_are_the_published_ones(self):
        own = Params().model_dump(exclude={*StrategyParams.model_fields})

        assert own == {
            "htf": "4h",
            "fast_len": 12,
            "slow_len": 26,
            "signal_len": 9,
            "trend_determination": "MACD_MINUS_SIGNAL",
            "exit_on_opposite": "CROSS",
            "sizing": "LOT",
            "lot_size": 0.01,
            "risk_per_trade_percent": 1.0,
            "use_stop_loss": True,
            "stop_loss_percent": 2.0,
            "use_take_profit": True,
            "take_profit_percent": 4.0,
            "use_forecast_filter": False,
            "forecast_fee_percent": 0.1,
            "max_memory": 50,
            "memory_bars": 5_000,
            "forecast_length": 100,
            "forecast_top_percentile": 80,
            "forecast_mid_percentile": 50,
            "forecast_bottom_percentile": 20,
        }

    def test_it_warms_up_both_timeframes_and_the_memory_only_where_it_decides(self):
        needs = macd_mtf_forecast.requirements(Params())

        assert needs.warm_up_bars == 130
        assert needs.warm_up_ms == 131 * 4 * HOUR_MS
        assert needs.timeframes == (Timeframe.H4,)
        filtered = macd_mtf_forecast.requirements(Params(use_forecast_filter=True))
        assert filtered.warm_up_bars == 5_130

    def test_the_higher_timeframe_must_be_higher(self):
        needs = macd_mtf_forecast.requirements(Params())

        assert needs.objection(Timeframe.M15) == ""
        assert "must be longer" in needs.objection(Timeframe.H4)

    @pytest.mark.parametrize(
        ("values", "field", "code"),
        [
            ({"fast_len": 1}, "fast_len", "out_of_range"),
            ({"slow_len": 201}, "slow_len", "out_of_range"),
            ({"fast_len": 26}, "fast_len", "inconsistent"),
            ({"htf": "7m"}, "htf", "wrong_type"),
            ({"htf": "240"}, "htf", "wrong_type"),
            ({"trend_determination": "RSI"}, "trend_determination", "wrong_type"),
            ({"lot_size": 0.0}, "lot_size", "out_of_range"),
            ({"stop_loss_percent": 50.1}, "stop_loss_percent", "out_of_range"),
            ({"max_memory": 1}, "max_memory", "out_of_range"),
            ({"forecast_length": 501}, "forecast_length", "out_of_range"),
            ({"forecast_top_percentile": 50}, "forecast_top_percentile", "out_of_range"),
            ({"forecast_bottom_percentile": 50}, "forecast_bottom_percentile", "out_of_range"),
            ({"sizing": "RISK", "use_stop_loss": False}, "sizing", "inconsistent"),
        ],
    )
    def test_limits_are_kept(self, values, field, code):
        with pytest.raises(InvalidInputError) as caught:
            validate_params(DEFINITION, values)

        assert [(each.field, each.code) for each in caught.value.problems] == [(field, code)]


class TestSignals:
    @pytest.mark.parametrize(
        ("trend", "entry", "exits"),
        [("MACD_MINUS_SIGNAL", 58, [55]), ("MACD", 59, [56])],
    )
    def test_it_buys_the_cross_that_the_higher_timeframe_agrees_with(self, trend, entry, exits):
        # The cross at bar 31 has no trend behind it: the 5m bars have not moved yet.
        assert said_of(CLOSES, trend_determination=trend) == {
            "enter_long": [entry],
            "exit_long": exits,
            "exit_short": [31, entry],
        }

    def test_it_sells_the_mirror_image(self):
        assert said_of(mirrored(CLOSES)) == {
            "enter_short": [58],
            "exit_short": [55],
            "exit_long": [31, 58],
        }

    def test_a_full_exit_is_the_opposite_entry(self):
        assert said_of(CLOSES, exit_on_opposite="FULL") == {
            "enter_long": [58],
            "exit_short": [58],
        }

    def test_exits_can_be_left_to_stop_and_target(self):
        assert said_of(CLOSES, exit_on_opposite="OFF") == {"enter_long": [58]}

    def test_the_higher_timeframe_counts_once_its_bar_is_closed(self):
        """A 5m bar that closes far below turns its trend, but not before it is closed."""
        rising = CLOSES[:58]
        before = said_of([*rising, 113, 80])
        after = said_of([*rising, 113, 80, 80, 130])

        assert before["enter_long"] == [58]
        assert after["enter_long"] == [58]

    def test_nothing_is_said_before_both_timeframes_have_a_trend(self):
        said = macd_mtf_forecast.signals(view_of(CLOSES, Timeframe.M1), Params(**SMALL))

        assert np.flatnonzero(said.ready)[0] == 19

    @pytest.mark.parametrize("length", [0, 1, 4, 14])
    def test_too_short_a_history_says_nothing(self, length):
        closes = CLOSES[-length:] if length else []
        params = Params(**SMALL, use_forecast_filter=True)
        said = macd_mtf_forecast.signals(view_of(closes, Timeframe.M1), params)

        assert len(said) == length
        assert not (said.enter_long | said.enter_short).any()

    @pytest.mark.parametrize(
        "changes",
        [
            {"trend_determination": "MACD"},
            {"exit_on_opposite": "FULL"},
            {"use_forecast_filter": True, "memory_bars": 600, "max_memory": 10},
        ],
        ids=lambda each: next(iter(each)),
    )
    def test_every_variant_is_causal(self, changes):
        params = Params(htf="2h", fast_len=5, slow_len=10, signal_len=4, **changes)

        found = check_causality(DEFINITION, params, generated_candles(2_200), Timeframe.H1)

        assert found == ()


class TestForecastFilter:
    VIEW = MarketView(generated_candles(3_000), Timeframe.H1)
    #: Far ends of long forecasts come from trends that lasted, which are all large.
    SHORT: dict[str, Any] = {"memory_bars": 1_000, "forecast_length": 3}

    def entries(self, **changes):
        params = Params(**{**self.SHORT, "use_forecast_filter": True, **changes})
        said = macd_mtf_forecast.signals(self.VIEW, params)
        return said.enter_long, said.enter_short

    def test_it_keeps_the_entries_whose_forecast_ends_beyond_the_fees(self):
        close = self.VIEW.candles.close
        unfiltered = self.entries(use_forecast_filter=False)
        kept = self.entries(forecast_fee_percent=0.3)

        for side, (before, after) in zip((1, -1), zip(unfiltered, kept, strict=True), strict=True):
            assert 0 < after.sum() < before.sum()
            assert not (after & ~before).any()
            for bar in np.flatnonzero(before):
                far = self.far_end(bar)
                assert after[bar] == (side * (far / close[bar] - 1) >= 0.003)

    def far_end(self, cross):
        """Return the last middle level of a forecast of 3 bars from 1,000 of memory, by its rule."""
        close = self.VIEW.candles.close
        trend = np.sign(macd(close, 12, 26, 9).histogram)
        starts = [
            bar
            for bar in range(max(35, cross - 1_000), cross)
            if trend[bar] == trend[cross] != trend[bar - 1]
        ]
        level = np.nan
        for offset in range(4):
            changes = [
                close[start + offset] - close[start]
                for start in starts
                if start + offset < cross
                and (trend[start : start + offset + 1] == trend[cross]).all()
            ]
            if len(changes) < 3:
                break
            level = close[cross] + np.percentile(changes[-50:], 50)
        return level

    def test_without_enough_memory_nothing_is_entered(self):
        long, short = self.entries(max_memory=2)

        assert not (long | short).any()

    def test_higher_fees_keep_everything_out(self):
        long, short = self.entries(forecast_fee_percent=5.0)

        assert not (long | short).any()


class TestRules:
    def test_by_default_a_lot_with_stop_and_target(self):
        rules = macd_mtf_forecast.rules(Params())

        assert (rules.stop_percent, rules.target_percent) == (2.0, 4.0)
        assert (rules.sizing, rules.size) == (SizingMode.FIXED_BASE, 0.01)

    def test_stop_and_target_can_be_switched_off(self):
        rules = macd_mtf_forecast.rules(Params(use_stop_loss=False, use_take_profit=False))

        assert (rules.stop_percent, rules.target_percent) == (0.0, 0.0)

    def test_it_can_size_by_risk(self):
        rules = macd_mtf_forecast.rules(Params(sizing="RISK", risk_per_trade_percent=2))

        assert (rules.sizing, rules.size) == (SizingMode.RISK, 2.0)

    def test_on_spot_it_only_buys(self):
        rules = macd_mtf_forecast.rules(Params()).for_market(InstrumentKind.SPOT, Timeframe.M15)

        assert rules.may_go_long
        assert not rules.may_go_short


def test_overlays_are_the_bands_on_the_price_and_the_trends_on_scales_of_their_own():
    view = TestForecastFilter.VIEW
    lines = macd_mtf_forecast.overlays(view, Params())

    assert [(line.name, line.pane) for line in lines] == [
        ("Forecast 80 %", ""),
        ("Forecast 50 %", ""),
        ("Forecast 20 %", ""),
        ("Trend value", "MACD"),
        ("Trend value 4h", "MACD 4h"),
    ]
    top, middle, bottom = (line.values for line in lines[:3])
    known = ~np.isnan(middle)
    assert known.sum() > 1_000
    assert (top[known] >= middle[known]).all()
    assert (middle[known] >= bottom[known]).all()
