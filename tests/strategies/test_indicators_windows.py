"""Means, deviations, bands and the end-point regression against golden values and definitions."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.indicators.averages import sma
from strategies.indicators.bands import bollinger, sample_deviation
from strategies.indicators.regression import kernel_regression, kernel_weights
from strategies.indicators.windows import rolling_moments

NAN = float("nan")
FIVE = np.array([10.0, 11.0, 12.0, 11.0, 10.0])

prices = st.lists(st.floats(1, 1e6), min_size=1, max_size=80)


def bits(values):
    return np.asarray(values).tobytes()


class TestWindows:
    @given(values=prices, length=st.integers(1, 40))
    def test_they_are_the_mean_and_the_deviations_by_definition(self, values, length):
        mean, squares = rolling_moments(np.array(values), length)

        for end in range(len(values)):
            window = values[end + 1 - length : end + 1] if end + 1 >= length else []
            if not window:
                assert math.isnan(mean[end])
                assert math.isnan(squares[end])
                continue
            center = statistics.fmean(window)
            assert mean[end] == pytest.approx(center, rel=1e-12)
            expected = math.fsum((value - center) ** 2 for value in window)
            assert squares[end] == pytest.approx(expected, rel=1e-9, abs=1e-9)

    @given(values=prices, length=st.integers(1, 40), skipped=st.integers(0, 30))
    def test_nothing_before_the_window_changes_a_bit(self, values, length, skipped):
        whole = rolling_moments(np.array(values), length)
        later = rolling_moments(np.array(values[skipped:]), length)

        for part, all_of_it in zip(later, whole, strict=True):
            assert bits(part[length - 1 :]) == bits(all_of_it[skipped + length - 1 :])

    def test_a_constant_has_its_own_mean_and_no_deviation(self):
        mean, squares = rolling_moments(np.full(700, 0.1), 499)

        assert set(mean[498:]) == {0.1}
        assert set(squares[498:]) == {0.0}

    def test_an_undefined_value_spoils_only_the_windows_that_hold_it(self):
        values = np.array([NAN, 1.0, 2.0, 3.0])

        np.testing.assert_array_equal(sma(values, 2), [NAN, NAN, 1.5, 2.5])
        assert np.isnan(rolling_moments(values, 1).squares).tolist() == [True] + [False] * 3

    def test_a_window_of_nothing_is_refused(self):
        with pytest.raises(ValueError, match="at least 1"):
            sma(FIVE, 0)


class TestBands:
    def test_both_deviations_give_the_golden_values(self):
        bands = bollinger(FIVE, 5, 1.0)

        assert bands.upper[-1] - bands.middle[-1] == pytest.approx(0.74833, abs=5e-6)
        assert sample_deviation(FIVE, 5)[-1] == pytest.approx(0.83666, abs=5e-6)

    def test_bands_use_the_population_deviation(self):
        bands = bollinger(FIVE, 5, 2.1)

        assert bands.upper[-1] == pytest.approx(12.3715, abs=5e-5)
        assert bands.middle[-1] == pytest.approx(10.8)
        assert bands.lower[-1] == pytest.approx(10.8 - 2.1 * 0.748331, abs=1e-5)
        assert np.isnan(bands.upper[:4]).all()

    def test_a_sample_of_one_has_no_deviation(self):
        with pytest.raises(ValueError, match="at least 2"):
            sample_deviation(FIVE, 1)


class TestKernelRegression:
    def test_it_gives_the_golden_values(self):
        line = kernel_regression(np.array([1.0, 2.0, 3.0]), 1.0, 500)

        assert line[-1] == pytest.approx(2.4964014, abs=5e-8)
        assert line[0] == 1.0
        assert kernel_weights(8.0, 500).sum() == pytest.approx(10.526513, abs=5e-7)

    @given(
        values=prices,
        bandwidth=st.floats(1, 100),
        window=st.integers(2, 60),
    )
    def test_it_is_the_weighted_mean_of_the_window_or_of_what_there_is(
        self, values, bandwidth, window
    ):
        line = kernel_regression(np.array(values), bandwidth, window)

        for end in range(len(values)):
            newest_first = values[max(0, end + 1 - window) : end + 1][::-1]
            weights = [math.exp(-(k**2) / (2 * bandwidth**2)) for k in range(len(newest_first))]
            products = [w * x for w, x in zip(weights, newest_first, strict=True)]
            assert line[end] == pytest.approx(math.fsum(products) / math.fsum(weights), rel=1e-12)

    @given(values=prices, length=st.integers(1, 80))
    def test_later_values_change_no_bit(self, values, length):
        whole = kernel_regression(np.array(values), 8.0, 50)

        part = kernel_regression(np.array(values[:length]), 8.0, 50)

        assert bits(part) == bits(whole[: len(part)])

    def test_nothing_has_no_line(self):
        assert len(kernel_regression(np.empty(0), 8.0, 500)) == 0

    @pytest.mark.parametrize(("bandwidth", "window"), [(0.0, 5), (-1.0, 5), (8.0, 0), (NAN, 5)])
    def test_no_kernel_without_width(self, bandwidth, window):
        with pytest.raises(ValueError, match="No kernel"):
            kernel_regression(FIVE, bandwidth, window)
