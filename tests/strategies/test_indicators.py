"""Indicators against golden values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.indicators.averages import ema
from strategies.indicators.crossings import (
    cross_down,
    cross_up,
    ema_crossings,
    reach_down,
    reach_up,
)

NAN = float("nan")


class TestEma:
    def test_it_is_seeded_with_the_mean_of_its_first_period(self):
        values = ema(np.arange(1.0, 7.0), 3)

        np.testing.assert_array_equal(values, [NAN, NAN, 2, 3, 4, 5])

    def test_too_short_a_series_is_undefined_everywhere(self):
        assert np.isnan(ema(np.array([1.0, 2.0]), 3)).all()
        assert len(ema(np.empty(0), 3)) == 0

    def test_a_period_of_one_follows_its_input(self):
        assert ema(np.array([3.0, 1.0, 2.0]), 1).tolist() == [3, 1, 2]

    def test_a_period_of_nothing_is_refused(self):
        with pytest.raises(ValueError, match="at least 1"):
            ema(np.array([1.0]), 0)

    @given(values=st.lists(st.floats(1, 1e6), min_size=1, max_size=60), period=st.integers(2, 20))
    def test_it_follows_its_recursion(self, values, period):
        result = ema(np.array(values), period)

        expected = [NAN] * min(period - 1, len(values))
        if len(values) >= period:
            level = sum(values[:period]) / period
            expected.append(level)
            for value in values[period:]:
                level += 2 / (period + 1) * (value - level)
                expected.append(level)
        np.testing.assert_allclose(result, expected, rtol=1e-9)


class TestCrossings:
    def test_a_touch_counts_as_not_yet_above(self):
        a = np.array([1.0, 2.0, 3.0, 2.0, 2.0, 1.0, 3.0])
        b = np.full(7, 2.0)

        assert np.flatnonzero(cross_up(a, b)).tolist() == [2, 6]
        assert np.flatnonzero(cross_down(a, b)).tolist() == [5]

    def test_a_touch_is_enough_to_reach(self):
        a = np.array([1.0, 2.0, 3.0, 2.0, 2.0, 1.0, 3.0])
        b = np.full(7, 2.0)

        assert np.flatnonzero(reach_up(a, b)).tolist() == [1, 6]
        assert np.flatnonzero(reach_down(a, b)).tolist() == [3]

    def test_undefined_values_do_not_cross(self):
        a = np.array([NAN, 3.0, 1.0, NAN, 3.0])
        b = np.full(5, 2.0)

        assert np.flatnonzero(cross_up(a, b)).tolist() == []
        assert np.flatnonzero(cross_down(a, b)).tolist() == [2]

    @pytest.mark.parametrize("length", [0, 1])
    def test_nothing_crosses_on_a_first_bar(self, length):
        assert cross_up(np.ones(length), np.zeros(length)).tolist() == [False] * length


class TestCrossingsOfAverages:
    @given(
        # Steps of a half meet exactly every now and then, where a rounding would show.
        values=st.lists(st.integers(1, 9).map(lambda half: half / 2), max_size=80),
        fast=st.integers(2, 12),
        longer=st.integers(1, 12),
    )
    def test_they_are_those_of_the_averages_themselves(self, values, fast, longer):
        closes, slow = np.array(values, dtype=np.float64), fast + longer
        lines = ema(closes, fast), ema(closes, slow)

        found = ema_crossings(closes, fast, slow)

        assert found.up.tolist() == cross_up(*lines).tolist()
        assert found.down.tolist() == cross_down(*lines).tolist()
        defined = ~np.isnan(lines[1])
        assert found.ready.tolist() == [False, *defined[:-1].tolist()][: len(values)]

    def test_a_fast_average_is_the_shorter_one(self):
        with pytest.raises(ValueError, match="crosses none"):
            ema_crossings(np.ones(9), 3, 3)
