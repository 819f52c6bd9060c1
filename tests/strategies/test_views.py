"""What a strategy sees of higher timeframes: closed bars, and nothing else."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.candles import Candles
from market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe, to_milliseconds
from strategies import views
from strategies.causality import generated_candles
from strategies.shapes import Requirements
from strategies.views import MarketView


def ms(year, month, day):
    return to_milliseconds(datetime(year, month, day, tzinfo=UTC))


def hours(*opens):
    """Return a view of hourly bars that open at *opens* (hours since 1970), told apart by price."""
    rows = [(at * HOUR_MS, at + 0.1, at + 0.9, at - 0.9, at + 0.2, 1.0) for at in opens]
    return MarketView(Candles.from_rows(rows), Timeframe.H1)


class TestClosedBars:
    def test_a_bar_is_known_from_the_close_of_its_last_part_on(self):
        higher = hours(*range(9)).higher("4h")

        assert (higher.candles.open_time // HOUR_MS).tolist() == [0, 4]
        assert higher.last_closed.tolist() == [-1, -1, -1, 0, 0, 0, 0, 1, 1]

    def test_it_is_known_at_the_open_of_the_bar_after(self):
        higher = hours(*range(9)).higher("4h")

        assert higher.closed_before.tolist() == [-1, -1, -1, -1, 0, 0, 0, 0, 1]
        closes = higher.at_open(higher.candles.close)
        assert closes[4:].tolist() == [3.2, 3.2, 3.2, 3.2, 7.2]
        assert np.isnan(closes[:4]).all()

    def test_it_is_made_from_its_parts(self):
        candles = hours(*range(8)).higher("4h").candles

        assert candles.open.tolist() == [0.1, 4.1]
        assert candles.high.tolist() == [3.9, 7.9]
        assert candles.low.tolist() == [-0.9, 3.1]
        assert candles.close.tolist() == [3.2, 7.2]
        assert candles.volume.tolist() == [4.0, 4.0]

    def test_one_that_is_not_closed_at_the_end_is_not_there_at_all(self):
        assert len(hours(*range(7)).higher("4h").candles) == 1
        assert len(hours(*range(3)).higher("4h").candles) == 0

    def test_one_that_the_history_begins_in_the_middle_of_is_left_out(self):
        higher = hours(*range(1, 9)).higher("4h")

        assert (higher.candles.open_time // HOUR_MS).tolist() == [4]
        assert higher.last_closed.tolist() == [-1, -1, -1, -1, -1, -1, 0, 0]

    def test_values_at_the_base_are_undefined_until_one_is_closed(self):
        higher = hours(*range(5)).higher("4h")

        known = higher.at_base(higher.candles.close)

        assert np.isnan(known[:3]).all()
        assert known[3:].tolist() == [3.2, 3.2]

    def test_no_bars_no_higher_ones(self):
        higher = hours().higher("4h")

        assert len(higher.candles) == len(higher.last_closed) == 0
        assert len(higher.at_base(higher.candles.close)) == 0


class TestGaps:
    def test_a_bar_with_gaps_is_made_from_what_is_there_and_known_when_time_is_over(self):
        # The last hour of the first bar is missing: nobody can know it before the next bar closes.
        higher = hours(0, 2, 5, 6, 7).higher("4h")

        assert higher.candles.close.tolist() == [2.2, 7.2]
        assert higher.last_closed.tolist() == [-1, -1, 0, 0, 1]

    def test_whole_bars_that_are_missing_are_not_made_up(self):
        higher = hours(0, 1, 2, 3, 12, 13, 14, 15).higher("4h")

        assert (higher.candles.open_time // HOUR_MS).tolist() == [0, 12]
        assert higher.last_closed.tolist() == [-1, -1, -1, 0, 0, 0, 0, 1]


class TestCalendar:
    def test_weeks_begin_on_monday(self):
        days = [ms(2024, 1, 1) + day * DAY_MS for day in range(15)]
        rows = [(at, 1.0, 1.0, 1.0, float(number), 1.0) for number, at in enumerate(days)]

        higher = MarketView(Candles.from_rows(rows), Timeframe.D1).higher("1w")

        assert higher.candles.open_time.tolist() == [ms(2024, 1, 1), ms(2024, 1, 8)]
        assert higher.candles.close.tolist() == [6.0, 13.0]
        assert higher.last_closed.tolist() == [-1] * 6 + [0] * 7 + [1] * 2

    def test_months_are_as_long_as_the_calendar_says(self):
        first, end = ms(2024, 1, 31), ms(2024, 3, 2)
        days = range(first, end, DAY_MS)
        rows = [(at, 1.0, 1.0, 1.0, 1.0, 1.0) for at in days]

        higher = MarketView(Candles.from_rows(rows), Timeframe.D1).higher(Timeframe.MO1)

        # January is not whole; February, of 29 days, is known at the close of its last day.
        assert higher.candles.open_time.tolist() == [ms(2024, 2, 1)]
        assert higher.candles.volume.tolist() == [29.0]
        assert higher.last_closed.tolist() == [-1] * 29 + [0, 0]


class TestUnsuitable:
    @pytest.mark.parametrize(
        ("base", "wanted"),
        [("1h", "1h"), ("4h", "1h"), ("8h", "12h"), ("3d", "1w"), ("1w", "1M"), ("3d", "1M")],
    )
    def test_bars_that_are_not_whole_numbers_of_base_bars_are_refused(self, base, wanted):
        view = MarketView(Candles.empty(), Timeframe(base))

        with pytest.raises(ValueError, match=f"{wanted} is not made of whole bars of {base}"):
            view.higher(wanted)

    @pytest.mark.parametrize(
        ("timeframe", "words"),
        [
            ("4h", "at most 1h, not 4h"),
            ("1h", "a bar that begins at 13:30 UTC, and those of 1h do not"),
            ("30m", ""),
            ("1m", ""),
        ],
    )
    def test_a_strategy_says_which_timeframes_it_cannot_use(self, timeframe, words):
        requirements = Requirements(
            warm_up_bars=1,
            timeframes=(Timeframe.D1,),
            longest_timeframe=Timeframe.H1,
            day_marks_ms=(13 * HOUR_MS + 30 * MINUTE_MS,),
        )

        assert words in requirements.objection(Timeframe(timeframe))
        assert bool(requirements.objection(Timeframe(timeframe))) is bool(words)

    def test_a_higher_timeframe_has_to_be_longer_and_made_of_whole_bars(self):
        requirements = Requirements(warm_up_bars=1, timeframes=(Timeframe.H12,))

        assert "must be longer than its bars of 1d" in requirements.objection(Timeframe.D1)
        assert "no whole number of bars of 8h" in requirements.objection(Timeframe.H8)
        assert requirements.objection(Timeframe.H4) == ""

    def test_the_longer_of_both_warm_ups_counts(self):
        requirements = Requirements(warm_up_bars=10, warm_up_ms=DAY_MS)

        assert requirements.bars(Timeframe.H1) == 24
        assert requirements.bars(Timeframe.H4) == 10


CANDLES = generated_candles(700, timeframe=Timeframe.H1)


@given(
    st.integers(min_value=1, max_value=700),
    st.sampled_from([Timeframe.H4, Timeframe.D1, Timeframe.W1]),
    st.sets(st.integers(min_value=0, max_value=699), max_size=200),
)
def test_what_is_known_does_not_change_when_bars_follow(length, timeframe, missing):
    kept = np.array([index for index in range(700) if index not in missing])
    with_gaps = Candles(*(column[kept] for column in CANDLES.columns()))
    length = min(length, len(kept))
    whole = MarketView(with_gaps, Timeframe.H1).higher(timeframe)
    early = MarketView(with_gaps.slice(0, length), Timeframe.H1).higher(timeframe)

    assert early.last_closed.tolist() == whole.last_closed[:length].tolist()
    assert early.closed_before.tolist() == whole.closed_before[:length].tolist()
    count = len(early.candles)
    assert count == early.last_closed[-1] + 1
    for known, later in zip(early.candles.columns(), whole.candles.columns(), strict=True):
        assert known.tolist() == later[:count].tolist()


class TestOnce:
    def test_a_line_is_computed_once_for_its_key(self):
        view = hours(*range(3))
        computed: list[int] = []

        def compute():
            computed.append(len(computed))
            return view.candles.close * 2

        first, again = view.once("double", compute), view.once("double", compute)

        assert again is first
        assert computed == [0]
        assert view.once("other", compute) is not first

    def test_what_is_too_large_to_keep_is_computed_again(self, monkeypatch):
        monkeypatch.setattr(views, "_REMEMBERED_BYTES", 30)
        view = hours(*range(3))

        small = view.once("small", lambda: np.zeros(3))
        large = view.once("large", lambda: np.ones(3))

        assert view.once("small", lambda: np.ones(3)) is small
        assert view.once("large", lambda: np.ones(3)) is not large
