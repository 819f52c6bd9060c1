"""Local days, their hours, and what bars do in them."""

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, from_milliseconds
from strategies.indicators.sessions import (
    END_OF_DAY,
    day_is_over,
    entry_window,
    local_days,
    marks_of_day,
    minute_of,
    ranges,
)
from tests.strategies.calendars import at, clock

NEW_YORK, SYDNEY = "America/New_York", "Australia/Sydney"
ZONES = [NEW_YORK, SYDNEY, "UTC", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]


def days_of(begin, end, zone, step=HOUR_MS):
    return local_days(np.arange(at(begin), at(end), step, dtype=np.int64), ZoneInfo(zone))


class TestClock:
    @pytest.mark.parametrize(("text", "minute"), [("00:00", 0), ("09:30", 570), ("23:59", 1439)])
    def test_times_of_day_are_read(self, text, minute):
        assert minute_of(text) == minute

    @pytest.mark.parametrize(
        "text", ["", "9:30", "09:3", "24:00", "09:60", "0930", "-1:30", "\u0967\u0968:\u0966\u0966"]
    )
    def test_anything_else_is_none(self, text):
        with pytest.raises(ValueError, match="no time of day"):
            minute_of(text)


class TestDays:
    def test_clocks_that_go_forward_shorten_the_day_in_new_york(self):
        days = days_of("2024-03-09 12:00", "2024-03-12 12:00", NEW_YORK)

        assert [clock(each, NEW_YORK) for each in days.at(570).tolist()] == [
            "2024-03-09 09:30",
            "2024-03-10 09:30",
            "2024-03-11 09:30",
            "2024-03-12 09:30",
        ]
        assert np.diff(days.at(570)).tolist() == [DAY_MS - HOUR_MS, DAY_MS, DAY_MS]
        assert np.bincount(days.of_bar).tolist()[1:3] == [23, 24]

    def test_clocks_that_go_back_lengthen_the_day_in_sydney(self):
        days = days_of("2024-04-06 00:00", "2024-04-09 00:00", SYDNEY)

        assert np.diff(days.at(600)).tolist() == [DAY_MS + HOUR_MS, DAY_MS, DAY_MS]
        assert clock(int(days.at(600)[1]), SYDNEY) == "2024-04-07 10:00"
        assert np.bincount(days.of_bar).tolist()[1] == 25

    def test_a_day_ends_where_the_next_one_begins(self):
        days = days_of("2024-03-01 00:00", "2024-04-30 00:00", NEW_YORK)

        assert days.at(END_OF_DAY)[:-1].tolist() == days.at(0)[1:].tolist()

    def test_weekdays_are_those_of_the_zone(self):
        # Friday evening in New York is Saturday in UTC.
        days = days_of("2024-06-01 02:00", "2024-06-03 12:00", NEW_YORK)

        assert days.are_weekdays().tolist() == [True, False, False, True]

    def test_no_bars_no_days(self):
        days = local_days(np.zeros(0, dtype=np.int64), ZoneInfo("UTC"))

        assert len(days.number_of_bar()) == len(days.at(0)) == len(days.begin()) == 0

    @given(
        st.integers(min_value=0, max_value=2_000_000_000_000),
        st.sampled_from(ZONES),
        st.integers(min_value=1, max_value=50),
    )
    def test_each_bar_lies_on_the_day_that_a_calendar_says(self, begin, zone, count):
        times = begin + np.arange(count, dtype=np.int64) * 7 * HOUR_MS
        days = local_days(times, ZoneInfo(zone))

        dates = [
            from_milliseconds(each).astimezone(ZoneInfo(zone)).date() for each in times.tolist()
        ]
        first = from_milliseconds(0).date()
        assert days.number_of_bar().tolist() == [(date - first).days for date in dates]
        assert np.diff(days.numbers).tolist() == [1] * (len(days.numbers) - 1)

    def test_the_marks_of_a_year_are_those_of_both_times(self):
        half_past_nine = 9 * HOUR_MS + 30 * MINUTE_MS
        summer, winter = half_past_nine + 4 * HOUR_MS, half_past_nine + 5 * HOUR_MS

        assert marks_of_day(ZoneInfo(NEW_YORK), 570) == (summer, winter)
        assert marks_of_day(ZoneInfo("Asia/Kolkata"), 555) == (3 * HOUR_MS + 45 * MINUTE_MS,)


class TestRanges:
    HIGH = np.array([1.0, 5.0, 2.0, 9.0])
    LOW = np.array([0.5, 0.9, 0.1, 3.0])

    def test_a_range_is_the_extremes_of_its_bars(self):
        found = ranges(
            self.HIGH, self.LOW, first=np.array([0, 2]), stop=np.array([3, 4]), at_least=1
        )

        assert found.high.tolist() == [5.0, 9.0]
        assert found.low.tolist() == [0.1, 0.1]

    def test_too_few_bars_are_no_range(self):
        found = ranges(
            self.HIGH,
            self.LOW,
            first=np.array([0, 2]),
            stop=np.array([2, 3]),
            at_least=np.array([2, 2]),
        )

        assert found.high[0] == 5.0
        assert np.isnan([found.high[1], found.low[1]]).all()


class TestDayOrders:
    def place(self, minutes, *, missing=(), begin=0, length=5):
        """Return where and for how many bars an order is placed on bars of *length* minutes."""
        opens = np.array([each for each in range(0, 1440, length) if each not in missing])
        closes_at = (opens + length) * MINUTE_MS
        window = entry_window(
            closes_at.astype(np.int64),
            np.arange(len(opens)) == 0,
            length=length * MINUTE_MS,
            begin=begin,
            minutes=minutes,
        )
        indices = np.flatnonzero(window.places).tolist()
        return [(int(opens[each]), int(window.bars[each])) for each in indices]

    @pytest.mark.parametrize(
        ("length", "begin", "minutes", "expected"),
        [
            # The window's first bar is the day's first one, whose open is needed.
            (5, 0, 10, (0, 1)),
            (1, 0, 10, (0, 9)),
            # There is one bar to wait on, however short the window is.
            (15, 0, 10, (0, 1)),
            (60, 0, 10, (0, 1)),
            (5, 30, 10, (25, 2)),
            # Bars count that begin inside the window.
            (5, 31, 10, (30, 2)),
            (15, 30, 31, (15, 3)),
            (5, 120, 120, (115, 24)),
        ],
    )
    def test_it_waits_on_the_bars_that_begin_inside_the_window(
        self, length, begin, minutes, expected
    ):
        assert self.place(minutes, begin=begin, length=length) == [expected]

    def test_a_missing_bar_leaves_fewer_bars_to_wait_on(self):
        assert self.place(30, begin=60, missing=(55,)) == [(60, 5)]
        assert self.place(30, begin=60, missing=range(50, 90)) == []

    def test_a_day_is_over_with_the_bar_that_holds_its_end(self):
        opens = np.arange(0, 1440, 15)
        over = day_is_over(
            ((opens + 15) * MINUTE_MS).astype(np.int64), opens == 0, minute_of("23:55")
        )

        assert opens[over].tolist() == [1425]
        early = day_is_over(
            ((opens + 15) * MINUTE_MS).astype(np.int64), opens == 0, minute_of("23:30")
        )
        assert opens[early].tolist() == [1410, 1425]

    def test_the_next_day_does_it_where_that_bar_is_missing(self):
        closes_at = np.array([600, 1200, 15, 30]) * MINUTE_MS
        first = np.array([True, False, True, False])

        assert day_is_over(closes_at, first, minute_of("23:55")).tolist() == [
            False,
            False,
            True,
            False,
        ]
