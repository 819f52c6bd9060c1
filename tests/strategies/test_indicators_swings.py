"""Peaks, divergences, percentiles and forecasts against golden values and plain definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.indicators.forecast import trend_forecast
from strategies.indicators.forecast_kernel import percentile_of_sorted
from strategies.indicators.peaks import divergences
from strategies.indicators.peaks_kernel import newest_peak

NAN = float("nan")


def prominent_peaks(values, minimum):
    """Return all peaks of a window by their definition, in plain Python."""
    found = []
    for left in range(1, len(values) - 1):
        right = left
        while right + 1 < len(values) and values[right + 1] == values[left]:
            right += 1
        if right == len(values) - 1:
            continue
        if not values[left - 1] < values[left] > values[right + 1]:
            continue
        peak = (left + right) // 2
        bases = []
        for side in (values[peak::-1], values[peak:]):
            higher = next((i for i, value in enumerate(side) if value > values[peak]), len(side))
            bases.append(min(side[:higher]))
        if values[peak] - max(bases) >= minimum:
            found.append(peak)
    return found


class TestPeaks:
    @given(
        values=st.lists(st.integers(0, 6).map(float), min_size=1, max_size=24),
        minimum=st.sampled_from([0.0, 1.0, 2.0, 3.5]),
    )
    def test_the_newest_is_the_last_by_definition_below_any_bound(self, values, minimum):
        peaks = prominent_peaks(values, minimum)

        for before in range(len(values) + 1):
            expected = max((peak for peak in peaks if peak < before), default=-1)
            assert newest_peak(np.array(values), 0, len(values), before, minimum) == expected

    def test_a_peak_is_known_once_its_right_shoulder_is_deep_enough(self):
        values = np.array([1.0, 5.0, 4.5, 3.0])

        assert newest_peak(values, 0, 2, 2, 1.0) == -1
        assert newest_peak(values, 0, 3, 3, 1.0) == -1
        assert newest_peak(values, 0, 4, 4, 1.0) == 1

    def test_the_middle_stands_for_a_plateau(self):
        assert newest_peak(np.array([0.0, 2.0, 2.0, 2.0, 1.0]), 0, 5, 5, 0.5) == 2

    def test_bars_before_the_window_are_not_seen(self):
        values = np.array([9.0, 0.0, 3.0, 2.0, 3.5])

        assert newest_peak(values, 0, 5, 5, 1.5) == -1
        assert newest_peak(values, 1, 5, 5, 1.0) == 2


class TestPercentiles:
    def test_it_gives_the_golden_values(self):
        ascending = np.array([-3.0, 1.0, 2.0, 5.0, 9.0])

        found = [percentile_of_sorted(ascending, percent) for percent in (20.0, 50.0, 80.0)]
        assert found == pytest.approx([0.2, 2.0, 5.8])

    @given(
        values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), percent=st.floats(0, 100)
    )
    def test_it_is_the_linear_one(self, values, percent):
        ascending = np.sort(np.array(values))

        expected = np.percentile(ascending, percent)
        assert percentile_of_sorted(ascending, percent) == pytest.approx(expected, abs=1e-6)


def forecast_of(close, trend, **changes):
    settings = {"max_memory": 50, "forecast_length": 10, "memory_bars": 1_000, **changes}
    return trend_forecast(
        np.array(close, dtype=np.float64),
        np.array(trend, dtype=np.float64),
        percents=(80, 50, 20),
        **settings,
    )


def remembered(close, trend, max_memory, length, memory_bars):
    """Return the middle band and its ends from dictionaries, as the rule is written down."""
    memory: dict[tuple[float, int], list[tuple[int, float]]] = {}
    bands, ends = [NAN] * len(close), [NAN] * len(close)
    start = projected = None
    for bar in range(1, len(close)):
        if np.isnan(trend[bar - 1]):
            continue
        sign = np.sign(trend[bar])
        if sign != np.sign(trend[bar - 1]):
            start, projected = (bar if sign else None), {}
            for offset in range(length + 1 if sign else 0):
                fresh = [
                    change
                    for began, change in memory.get((sign, offset), [])[:max_memory]
                    if began >= bar - memory_bars
                ]
                if len(fresh) < 3:
                    break
                projected[offset] = close[bar] + np.percentile(fresh, 50)
                ends[bar] = projected[offset]
        if start is None:
            continue
        offset = bar - start
        bands[bar] = projected.get(offset, NAN)
        memory.setdefault((sign, offset), []).insert(0, (start, close[bar] - close[start]))
    return bands, ends


class TestForecast:
    def test_three_rises_tell_how_the_fourth_goes_on(self):
        close = [10, 10, 11, 13, 10, 10, 12, 10, 10, 11, 16, 10, 20, 21, 22, 20]
        trend = [-1, 1, 1, 1, -1, 1, 1, -1, 1, 1, 1, -1, 1, 1, 1, -1]

        forecast = forecast_of(close, trend)

        # At the first bar after each start: +1, +2, +1. At the second only two were long enough.
        upper, middle, lower = forecast.bands
        assert middle[12:15].tolist()[:2] == [20.0, 21.0]
        assert upper[13] == pytest.approx(20 + 1.6)
        assert lower[13] == pytest.approx(21)
        assert np.isnan(middle[14])
        assert forecast.ends[1][12] == 21.0
        assert np.isnan(forecast.ends[1][:12]).all()

    def test_the_trend_under_way_at_the_beginning_is_not_remembered(self):
        close = [5, 6, 7, 5, 6, 5, 6, 5, 6, 5, 6]
        trend = [NAN, 1, 1, -1, 1, -1, 1, -1, 1, -1, 1]

        ends = forecast_of(close, trend).ends[1]

        assert np.flatnonzero(~np.isnan(ends)).tolist() == [9, 10]

    @given(data=st.data())
    def test_it_is_the_written_rule(self, data):
        bars = data.draw(st.integers(1, 70))
        steps = data.draw(st.lists(st.integers(-3, 3), min_size=bars, max_size=bars))
        signs = data.draw(
            st.lists(st.sampled_from([-1, -1, 0, 1, 1]), min_size=bars, max_size=bars)
        )
        unknown = data.draw(st.integers(0, 5))
        close = (100.0 + np.cumsum(steps)).tolist()
        trend = [NAN if index < unknown else float(sign) for index, sign in enumerate(signs)]
        settings = (
            data.draw(st.integers(1, 6)),
            data.draw(st.integers(1, 6)),
            data.draw(st.integers(5, 80)),
        )

        forecast = forecast_of(
            close,
            trend,
            max_memory=settings[0],
            forecast_length=settings[1],
            memory_bars=settings[2],
        )

        bands, ends = remembered(close, trend, *settings)
        np.testing.assert_allclose(forecast.bands[1], bands)
        np.testing.assert_allclose(forecast.ends[1], ends)


#: Two lows, the second deeper, with a close after each that shows them; an oscillator that has
#: its second low higher.
LOWS = [10.0, 9.0, 8.0, 9.0, 10.0, 9.0, 8.0, 7.5, 9.0, 10.0]
WEAKER = [50.0, 40.0, 30.0, 40.0, 50.0, 45.0, 40.0, 38.0, 45.0, 50.0]


def divergences_of(close, oscillator, **changes):
    settings = {
        "lookback": 8,
        "price_prominence": 0.1,
        "oscillator_prominence": 0.5,
        "max_age": 3,
        "max_offset": 3,
        **changes,
    }
    return divergences(np.array(close), np.array(oscillator), **settings)


class TestDivergences:
    def test_a_lower_low_with_a_higher_oscillator_is_seen_once_at_its_first_shoulder(self):
        found = divergences_of(LOWS, WEAKER)

        assert np.flatnonzero(found.bullish).tolist() == [8]
        assert not found.bearish.any()
        assert found.low[8:].tolist() == [7.5, 7.5]
        assert found.low[7] == 8.0

    def test_highs_are_the_mirror_image(self):
        found = divergences_of([20 - value for value in LOWS], [100 - value for value in WEAKER])

        assert np.flatnonzero(found.bearish).tolist() == [8]
        assert not found.bullish.any()

    def test_an_oscillator_that_confirms_the_low_is_no_divergence(self):
        stronger = [*WEAKER[:7], 25.0, 45.0, 50.0]

        assert not divergences_of(LOWS, stronger).bullish.any()

    def test_a_low_that_is_not_lower_is_no_divergence(self):
        higher = [*LOWS[:7], 8.0, 9.0, 10.0]

        assert not divergences_of(higher, WEAKER).bullish.any()

    def test_a_pivot_too_old_when_its_shoulder_shows_is_not_used(self):
        late = [*LOWS[:8], 7.51, 7.52, 9.0]
        answers = [*WEAKER[:8], 38.1, 38.2, 45.0]

        found = divergences_of(late, answers, lookback=10, price_prominence=0.3)
        assert np.flatnonzero(found.bullish).tolist() == [10]
        aged = divergences_of(late, answers, lookback=10, price_prominence=0.3, max_age=2)
        assert not aged.bullish.any()

    def test_an_oscillator_whose_pivot_is_far_from_the_price_s_does_not_count(self):
        early = [50.0, 40.0, 30.0, 40.0, 50.0, 38.0, 40.0, 41.0, 45.0, 50.0]

        assert divergences_of(LOWS, early, max_offset=2).bullish.any()
        assert not divergences_of(LOWS, early, max_offset=1).bullish.any()

    def test_nothing_is_said_until_the_oscillator_is_defined_in_the_whole_window(self):
        undefined = [NAN, NAN, *WEAKER[2:]]

        assert not divergences_of(LOWS, undefined).bullish.any()

    @pytest.mark.parametrize("length", [0, 1, 7])
    def test_too_short_a_history_has_none(self, length):
        found = divergences_of(LOWS[:length], WEAKER[:length])

        assert len(found.bullish) == length
        assert not found.bullish.any()
