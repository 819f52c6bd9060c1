"""The RSI divergence as specified."""

from typing import Any

import numpy as np
import pytest

from market.enums import InstrumentKind
from market.errors import InvalidInputError
from market.timeframes import Timeframe
from strategies.causality import check_causality, generated_candles
from strategies.definitions import rsi_divergence
from strategies.definitions.rsi_divergence import Params
from strategies.registry import get_definition, validate_params
from strategies.rules import SizingMode
from strategies.shapes import StrategyParams
from strategies.views import MarketView
from tests.strategies.sequences import mirrored, spoken, view_of

DEFINITION = get_definition("rsi-divergence")
SMALL: dict[str, Any] = {"rsi_period": 5, "lookback_period": 12}
#: A steep fall to 91 at bar 14, then a slow one to 90.3 at bar 21, which the RSI does not confirm.
CLOSES = [
    *[100, 101] * 5,
    *(100, 99, 97, 94, 91, 93, 95, 96, 94, 92, 90.5, 90.3, 91.5, 93, 94),
]


class TestParameters:
    def test_defaults_are_the_published_ones(self):
        own = Params().model_dump(exclude={*StrategyParams.model_fields})

        assert own == {
            "rsi_period": 14,
            "lookback_period": 20,
            "peak_prominence": 0.5,
            "price_prominence_factor": 0.1,
            "max_signal_age": 3,
            "max_pivot_offset": 3,
            "exit_on_opposite": False,
            "risk_per_trade_percent": 1.5,
            "stop_loss_percent": 2.0,
            "take_profit_percent": 4.0,
        }
        assert rsi_divergence.requirements(Params()).warm_up_bars == 160

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("rsi_period", 4),
            ("rsi_period", 51),
            ("lookback_period", 9),
            ("lookback_period", 101),
            ("peak_prominence", 0.05),
            ("peak_prominence", 10.1),
            ("max_signal_age", 0),
            ("max_signal_age", 11),
            ("max_pivot_offset", -1),
            ("max_pivot_offset", 21),
            ("risk_per_trade_percent", 10.1),
            ("stop_loss_percent", 0.05),
            ("take_profit_percent", 501.0),
        ],
    )
    def test_limits_are_kept(self, name, value):
        with pytest.raises(InvalidInputError) as caught:
            validate_params(DEFINITION, {name: value})

        problems = [(each.field, each.code) for each in caught.value.problems]
        assert problems == [(name, "out_of_range")]


class TestSignals:
    def test_it_buys_once_at_the_first_bar_that_shows_the_lower_low(self):
        said = rsi_divergence.signals(view_of(CLOSES), Params(**SMALL))

        assert spoken(said) == {"enter_long": [22]}

    def test_it_sells_the_mirror_image(self):
        said = rsi_divergence.signals(view_of(mirrored(CLOSES)), Params(**SMALL))

        assert spoken(said) == {"enter_short": [22]}

    def test_the_opposite_divergence_is_an_exit_only_if_asked_for(self):
        params = Params(**SMALL, exit_on_opposite=True)

        assert spoken(rsi_divergence.signals(view_of(CLOSES), params)) == {
            "enter_long": [22],
            "exit_short": [22],
        }

    def test_nothing_is_said_before_the_window_is_full_of_rsi(self):
        said = rsi_divergence.signals(view_of(CLOSES), Params(**SMALL))

        assert np.flatnonzero(said.ready)[0] == 16
        assert said.ready[16:].all()

    def test_a_swing_of_the_rsi_that_is_too_small_counts_for_nothing(self):
        params = Params(**SMALL, peak_prominence=10.0)

        assert "enter_long" in spoken(rsi_divergence.signals(view_of(CLOSES), params))
        shallow = [*CLOSES[:22], 90.4, 90.5, 90.6]
        assert spoken(rsi_divergence.signals(view_of(shallow), params)) == {}

    @pytest.mark.parametrize("length", [0, 1, 5, 11])
    def test_too_short_a_history_says_nothing(self, length):
        said = rsi_divergence.signals(view_of(CLOSES[:length]), Params(**SMALL))

        assert len(said) == length
        assert spoken(said) == {}

    @pytest.mark.parametrize("age", [1, 10])
    @pytest.mark.parametrize("lookback", [10, 100])
    def test_every_window_and_age_is_causal_and_finds_something(self, age, lookback):
        params = Params(max_signal_age=age, lookback_period=lookback, exit_on_opposite=True)
        candles = generated_candles(1_500)

        assert check_causality(DEFINITION, params, candles, Timeframe.H1) == ()
        said = rsi_divergence.signals(MarketView(candles, Timeframe.H1), params)
        assert set(spoken(said)) == {"enter_long", "enter_short", "exit_long", "exit_short"}


class TestRules:
    def test_they_carry_the_percents_and_size_by_risk(self):
        rules = rsi_divergence.rules(Params(stop_loss_percent=3, take_profit_percent=7))

        assert (rules.stop_percent, rules.target_percent, rules.size) == (3.0, 7.0, 1.5)
        assert rules.sizing is SizingMode.RISK

    def test_on_spot_it_only_buys(self):
        rules = rsi_divergence.rules(Params()).for_market(InstrumentKind.SPOT, Timeframe.H1)

        assert rules.may_go_long
        assert not rules.may_go_short


def test_overlays_are_the_swings_as_they_became_known_and_the_rsi_on_its_own_scale():
    high, low, index = rsi_divergence.overlays(view_of(CLOSES), Params(**SMALL))

    # The low at bar 14 shows at bar 15; a window does not look at the RSI's first bars.
    assert low.values[16:23].tolist() == [91, 91, 91, 91, 91, 91, 90.3]
    assert high.values[20] == 96
    assert (high.pane, low.pane, index.pane) == ("", "", "RSI")
    assert np.nanmax(index.values) <= 100
