"""Which bars a run reads, and from which of them on it trades."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtesting.domain.windows import (
    NoCandlesError,
    Stored,
    Window,
    WindowTooShortError,
    stretch_of,
    window_on_grid,
)
from market.timeframes import DAY_MS, HOUR_MS, Timeframe
from tests.factories.exchanges import NEW_YEAR_MS, make_candles

STORED = Stored(NEW_YEAR_MS, NEW_YEAR_MS + 499 * HOUR_MS)


def window(from_hour: float, to_hour: float, warm_up_bars: int = 20) -> Window:
    return window_on_grid(
        timeframe=Timeframe.H1,
        from_ms=NEW_YEAR_MS + int(from_hour * HOUR_MS),
        to_ms=NEW_YEAR_MS + int(to_hour * HOUR_MS),
        warm_up_bars=warm_up_bars,
        stored=STORED,
    )


class TestWindowOnGrid:
    def test_it_holds_only_bars_that_lie_wholly_in_the_window(self):
        found = window(99.5, 200.75)

        assert found.from_ms == NEW_YEAR_MS + 100 * HOUR_MS
        assert found.to_ms == NEW_YEAR_MS + 200 * HOUR_MS

    def test_it_ends_where_the_candles_end(self):
        assert window(100, 9_000).to_ms == NEW_YEAR_MS + 500 * HOUR_MS

    def test_it_begins_where_the_candles_begin(self):
        assert window(-50, 200).from_ms == NEW_YEAR_MS

    def test_it_reads_twice_the_warm_up_in_front(self):
        assert window(100, 200).load_from_ms == NEW_YEAR_MS + 60 * HOUR_MS

    @pytest.mark.parametrize(("from_hour", "to_hour"), [(-100, -10), (500, 900), (10.2, 10.9)])
    def test_a_window_without_a_whole_bar_is_refused_with_what_there_is(self, from_hour, to_hour):
        with pytest.raises(NoCandlesError, match="from 2024-01-01 00:00 UTC to 2024-01-21 20:00"):
            window(from_hour, to_hour)

    def test_two_bars_after_the_warm_up_are_enough(self):
        assert window(0, 22).to_ms == NEW_YEAR_MS + 22 * HOUR_MS

    def test_one_bar_after_the_warm_up_is_not(self):
        with pytest.raises(WindowTooShortError, match=r"20 bars.*1 bars of this window"):
            window(0, 21)

    def test_history_in_front_counts_towards_the_warm_up(self):
        assert window(20, 22).from_ms == NEW_YEAR_MS + 20 * HOUR_MS

    def test_months_follow_the_calendar(self):
        found = window_on_grid(
            timeframe=Timeframe.MO1,
            from_ms=NEW_YEAR_MS + DAY_MS,
            to_ms=NEW_YEAR_MS + 200 * DAY_MS,
            warm_up_bars=0,
            stored=Stored(NEW_YEAR_MS, NEW_YEAR_MS + 366 * DAY_MS),
        )

        assert found.from_ms == NEW_YEAR_MS + 31 * DAY_MS
        assert found.to_ms == NEW_YEAR_MS + 182 * DAY_MS


class TestStretchOf:
    def test_it_takes_exactly_the_warm_up_if_there_is_that_much(self):
        candles = make_candles([100.0] * 200)

        found = stretch_of(candles, window(100, 150), warm_up_bars=20)

        assert found.start_index == 20
        assert found.trade_from_ms == NEW_YEAR_MS + 100 * HOUR_MS
        assert len(found.candles) == 70

    def test_without_history_trading_begins_after_the_warm_up(self):
        candles = make_candles([100.0] * 200)

        found = stretch_of(candles, window(0, 150), warm_up_bars=20)

        assert found.trade_from_ms == NEW_YEAR_MS + 20 * HOUR_MS

    def test_a_window_that_is_all_gap_has_no_candles(self):
        candles = make_candles([100.0] * 50)

        with pytest.raises(NoCandlesError):
            stretch_of(candles, window(100, 150), warm_up_bars=20)

    def test_a_window_whose_gaps_leave_too_little_is_too_short(self):
        candles = make_candles([100.0] * 21)

        with pytest.raises(WindowTooShortError):
            stretch_of(candles, window(0, 150), warm_up_bars=20)

    @given(st.integers(0, 60), st.integers(0, 40), st.sets(st.integers(0, 199), max_size=80))
    def test_there_are_always_warm_up_bars_in_front_of_the_first_trade(
        self, from_hour, warm_up_bars, missing
    ):
        whole = make_candles([100.0] * 200)
        keep = np.array([index not in missing for index in range(200)])
        candles = type(whole)(*(column[keep] for column in whole.columns()))
        wanted = Window.with_warm_up(
            Timeframe.H1,
            NEW_YEAR_MS + from_hour * HOUR_MS,
            NEW_YEAR_MS + 200 * HOUR_MS,
            warm_up_bars=warm_up_bars,
        )

        found = stretch_of(candles, wanted, warm_up_bars=warm_up_bars)

        assert found.start_index == warm_up_bars
        assert found.trade_from_ms >= wanted.from_ms
