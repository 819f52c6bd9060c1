"""RSI and MACD against golden values and their definitions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.indicators.averages import ema
from strategies.indicators.oscillators import macd, rsi

#: Closes of the textbook example of Wilder's index.
CLOSES = np.array(
    [
        *(44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.10, 45.42, 45.84),
        *(46.08, 45.89, 46.03, 45.61, 46.28, 46.28, 46.00, 46.03),
    ]
)
NAN = float("nan")


def wilder(values, period):
    """Return the index as it is written down, in plain Python."""
    changes = [after - before for before, after in pairwise(values)]
    gains = [max(change, 0.0) for change in changes]
    losses = [max(-change, 0.0) for change in changes]
    result = [NAN] * min(period, len(values))
    for index in range(period, len(values)):
        if index == period:
            gain, loss = sum(gains[:period]) / period, sum(losses[:period]) / period
        else:
            gain = (gain * (period - 1) + gains[index - 1]) / period
            loss = (loss * (period - 1) + losses[index - 1]) / period
        result.append(50.0 if gain == loss == 0 else 100.0 * gain / (gain + loss))
    return result


class TestRsi:
    def test_it_gives_the_golden_values(self):
        values = rsi(CLOSES, 14)

        assert np.isnan(values[:14]).all()
        np.testing.assert_allclose(values[14:], [70.4641, 66.2496, 66.4809], atol=5e-5)

    @given(values=st.lists(st.floats(1, 1e6), min_size=1, max_size=80), period=st.integers(2, 20))
    def test_it_follows_its_recursion(self, values, period):
        np.testing.assert_allclose(
            rsi(np.array(values), period), wilder(values, period), rtol=1e-7, atol=1e-7
        )

    def test_it_is_100_where_nothing_falls_0_where_nothing_rises_50_where_nothing_moves(self):
        assert rsi(np.arange(1.0, 9.0), 3)[3:].tolist() == [100.0] * 5
        assert rsi(np.arange(9.0, 1.0, -1.0), 3)[3:].tolist() == [0.0] * 5
        assert rsi(np.full(8, 7.0), 3)[3:].tolist() == [50.0] * 5

    def test_a_price_of_almost_nothing_has_the_same_index(self):
        quiet = np.concatenate([CLOSES, np.full(200, CLOSES[-1])])

        np.testing.assert_allclose(rsi(quiet * 1e-9, 14), rsi(quiet, 14), rtol=1e-6)
        assert rsi(quiet * 1e-9, 14)[-1] != 50.0

    def test_too_short_a_series_is_undefined_everywhere(self):
        assert np.isnan(rsi(CLOSES[:14], 14)).all()
        assert len(rsi(np.empty(0), 14)) == 0

    def test_a_period_of_one_is_refused(self):
        with pytest.raises(ValueError, match="at least 2"):
            rsi(CLOSES, 1)


class TestMacd:
    def test_each_average_is_seeded_with_the_mean_of_its_own_first_period(self):
        values = np.array([1.0, 2.0, 4.0, 7.0, 11.0, 16.0])

        lines = macd(values, 2, 3, 2)

        fast, slow = ema(values, 2), ema(values, 3)
        np.testing.assert_array_equal(lines.line, fast - slow)
        # Slow: 7/3, 14/3, 47/6, 143/12. Fast: 3/2, 19/6, 103/18, 499/54, 2227/162.
        np.testing.assert_allclose(
            lines.line,
            [NAN, NAN, 19 / 6 - 7 / 3, 103 / 18 - 14 / 3, 499 / 54 - 47 / 6, 2227 / 162 - 143 / 12],
        )
        assert lines.signal[3] == pytest.approx((lines.line[2] + lines.line[3]) / 2)
        assert lines.signal[4] == pytest.approx(lines.line[4] * 2 / 3 + lines.signal[3] / 3)
        np.testing.assert_array_equal(lines.histogram, lines.line - lines.signal)

    def test_its_lines_begin_when_their_averages_do(self):
        lines = macd(np.arange(60.0) ** 1.5, 12, 26, 9)

        assert np.flatnonzero(~np.isnan(lines.line))[0] == 25
        assert np.flatnonzero(~np.isnan(lines.signal))[0] == 33
        assert np.flatnonzero(~np.isnan(lines.histogram))[0] == 33

    @pytest.mark.parametrize("length", [0, 1, 25, 33])
    def test_too_short_a_series_is_undefined(self, length):
        assert np.isnan(macd(np.arange(float(length)), 12, 26, 9).signal).all()

    def test_a_fast_average_that_is_not_faster_is_refused(self):
        with pytest.raises(ValueError, match="below the slow one"):
            macd(CLOSES, 5, 5, 2)
