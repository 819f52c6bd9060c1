"""The kernel envelope as specified."""

from typing import Any

import numpy as np
import pytest

from market.enums import InstrumentKind
from market.errors import InvalidInputError
from market.timeframes import Timeframe
from strategies.causality import Check, check_causality, generated_candles
from strategies.definitions import kernel_envelope
from strategies.definitions.kernel_envelope import Params
from strategies.indicators.regression import kernel_regression
from strategies.registry import get_definition, validate_params
from strategies.rules import SizingMode
from strategies.shapes import StrategyParams
from tests.strategies.sequences import spoken, view_of

DEFINITION = get_definition("kernel-envelope")
#: A narrow envelope that is there from bar 68 on.
SMALL: dict[str, Any] = {"h_bandwidth": 4.0, "window": 50, "mae_length": 20}
#: Nothing happens, then a fall out of the envelope and a rise out of it.
CLOSES = [*[100, 100.2] * 40, 98, 97.8, 100, 100.2, 100, 102.2, 102.4, 100, 100]


class TestParameters:
    def test_defaults_are_the_published_ones(self):
        own = Params().model_dump(exclude={*StrategyParams.model_fields})

        assert own == {
            "h_bandwidth": 8.0,
            "multiplier": 3.0,
            "entry_mode": "CROSS",
            "tp_percent": 1.0,
            "sl_percent": 0.5,
            "position_size_percent_capital": 10.0,
            "window": 500,
            "mae_length": 499,
            "short_history": False,
        }
        assert kernel_envelope.requirements(Params()).warm_up_bars == 999

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("h_bandwidth", 0.9, "out_of_range"),
            ("h_bandwidth", 100.5, "out_of_range"),
            ("multiplier", 20.1, "out_of_range"),
            ("tp_percent", 0.01, "out_of_range"),
            ("sl_percent", 50.1, "out_of_range"),
            ("window", 49, "out_of_range"),
            ("window", 2_001, "out_of_range"),
            ("mae_length", 19, "out_of_range"),
            ("entry_mode", "SOMETIMES", "wrong_type"),
            ("position_size_percent_capital", 100.1, "inconsistent"),
            ("surprise", 1, "unknown_field"),
        ],
    )
    def test_limits_are_kept(self, name, value, code):
        with pytest.raises(InvalidInputError) as caught:
            validate_params(DEFINITION, {name: value})

        assert [(each.field, each.code) for each in caught.value.problems] == [(name, code)]

    def test_leverage_allows_larger_positions(self):
        params = validate_params(
            DEFINITION, {"position_size_percent_capital": 300.0, "leverage": 3}
        )

        assert DEFINITION.rules(params).size == 300.0


class TestSignals:
    @pytest.mark.parametrize(
        ("mode", "longs", "shorts"),
        [("CROSS", [80], [85]), ("TOUCH", [80, 81], [85, 86]), ("REENTER", [82], [87])],
    )
    def test_it_buys_below_the_envelope_and_sells_above_it(self, mode, longs, shorts):
        said = kernel_envelope.signals(view_of(CLOSES), Params(**SMALL, entry_mode=mode))

        assert spoken(said) == {"enter_long": longs, "enter_short": shorts}

    def test_nothing_is_said_before_the_envelope_exists_on_two_bars(self):
        said = kernel_envelope.signals(view_of(CLOSES), Params(**SMALL))

        assert np.flatnonzero(said.ready)[0] == 69
        assert said.ready[69:].all()

    def test_a_price_that_stands_still_is_never_outside(self):
        for mode in ("CROSS", "REENTER"):
            said = kernel_envelope.signals(view_of([100.0] * 120), Params(**SMALL, entry_mode=mode))
            assert spoken(said) == {}

    @pytest.mark.parametrize("length", [0, 1, 49, 60])
    def test_too_short_a_history_says_nothing(self, length):
        said = kernel_envelope.signals(view_of(CLOSES[:length]), Params(**SMALL))

        assert len(said) == length
        assert spoken(said) == {}

    @pytest.mark.parametrize("mode", ["CROSS", "TOUCH", "REENTER"])
    def test_every_mode_is_causal(self, mode):
        params = Params(**SMALL, entry_mode=mode, multiplier=2.0)

        found = check_causality(DEFINITION, params, generated_candles(900), Timeframe.H1)

        assert found == ()


class TestShortHistory:
    """A window of 50 and an error window of 300, of which 100 errors are enough if it is asked for."""

    def params(self, **changes: Any) -> Params:
        values = {"h_bandwidth": 4.0, "window": 50, "mae_length": 300, "short_history": True}
        return Params(**{**values, **changes})

    def test_the_envelope_begins_with_a_hundred_errors_and_ends_as_it_always_was(self):
        closes = generated_candles(420).close
        view = view_of(closes.tolist())
        _, middle, lower = kernel_envelope.overlays(view, self.params(multiplier=2.0))
        _, _, whole = kernel_envelope.overlays(
            view, self.params(multiplier=2.0, short_history=False)
        )
        errors = np.abs(closes - middle.values)

        # The first error is that of bar 49, so the hundredth is that of bar 148.
        assert np.flatnonzero(~np.isnan(lower.values))[0] == 148
        for bar in (148, 200, 347):
            mean = errors[49 : bar + 1].mean()
            assert lower.values[bar] == pytest.approx(middle.values[bar] - 2 * mean)
        assert np.flatnonzero(~np.isnan(whole.values))[0] == 348
        np.testing.assert_array_equal(lower.values[348:], whole.values[348:])

    def test_it_needs_less_history_and_says_what_that_means(self):
        assert DEFINITION.requirements(self.params()).warm_up_bars == 150
        assert "100 errors instead of 300" in DEFINITION.cautions(self.params())[0]
        assert DEFINITION.cautions(self.params(short_history=False)) == ()
        assert DEFINITION.cautions(self.params(mae_length=100)) == ()
        assert DEFINITION.requirements(self.params(mae_length=60)).warm_up_bars == 110

    def test_it_never_knows_the_future_but_does_know_where_its_history_begins(self):
        params = self.params(entry_mode="TOUCH", multiplier=1.0)

        found = check_causality(DEFINITION, params, generated_candles(900), Timeframe.H1)

        assert [each.check for each in found] == [Check.WARM_UP]


class TestRules:
    def test_they_carry_the_percents_and_size_by_notional(self):
        rules = kernel_envelope.rules(Params(tp_percent=2, sl_percent=1))

        assert (rules.stop_percent, rules.target_percent, rules.size) == (1.0, 2.0, 10.0)
        assert rules.sizing is SizingMode.NOTIONAL

    def test_on_spot_it_only_buys(self):
        rules = kernel_envelope.rules(Params()).for_market(InstrumentKind.SPOT, Timeframe.H1)

        assert rules.may_go_long
        assert not rules.may_go_short


def test_overlays_are_the_envelope_around_the_smoothed_price():
    view = view_of(CLOSES)

    upper, middle, lower = kernel_envelope.overlays(view, Params(**SMALL, multiplier=2.0))

    expected = kernel_regression(view.candles.close, 4.0, 50)
    np.testing.assert_array_equal(middle.values, expected)
    errors = np.abs(view.candles.close - expected)
    # The envelope at a bar knows the errors of the 20 bars up to it.
    assert upper.values[75] == pytest.approx(expected[75] + 2 * errors[56:76].mean())
    assert lower.values[75] == pytest.approx(expected[75] - 2 * errors[56:76].mean())
    assert {line.pane for line in (upper, middle, lower)} == {""}
