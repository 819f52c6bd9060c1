"""The price as a function of time: aggregates, mirrored passes and scripts that follow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.simulator.prices import PricePath, SampledBars, Segment, Timeline

COLUMNS = ("open", "high", "low", "close", "volume", "notional", "samples")


def path_of(ticks: list[int], *, mirrored: bool = True) -> PricePath:
    array = np.array(ticks, dtype=np.int64)
    return PricePath(array, array % 7 + 1, mirrored=mirrored)


def whole(numbers: range | list[int]) -> np.ndarray:
    return np.array(list(numbers), dtype=np.int64)


def rows_of(bars: SampledBars) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(bars, name).tolist() for name in COLUMNS), strict=True))


def brute_force(prices: list[int]) -> tuple[int, ...]:
    lots = [price % 7 + 1 for price in prices]
    notional = sum(price * lot for price, lot in zip(prices, lots, strict=True))
    return (
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        sum(lots),
        notional,
        len(prices),
    )


prices = st.lists(st.integers(1, 1_000), min_size=1, max_size=80)
spans = st.tuples(st.integers(-300, 300), st.integers(1, 400))


class TestPricePath:
    @given(prices, st.booleans(), st.lists(spans, min_size=1, max_size=5))
    def test_a_bar_is_the_exact_aggregate_of_its_samples(self, ticks, mirrored, wanted):
        path = path_of(ticks, mirrored=mirrored)
        starts = whole([start for start, _ in wanted])
        stops = whole([start + length for start, length in wanted])

        bars = path.bars(starts, stops)

        expected = [
            brute_force(path.ticks_at(whole(range(start, start + length))).tolist())
            for start, length in wanted
        ]
        assert rows_of(bars) == expected

    @given(prices, st.integers(-3, 3))
    def test_every_second_pass_is_the_one_before_reversed_in_time(self, ticks, number):
        path = path_of(ticks)
        there = path.ticks_at(whole(range(number * len(ticks), (number + 1) * len(ticks))))
        back = path.ticks_at(whole(range((number + 1) * len(ticks), (number + 2) * len(ticks))))

        assert back.tolist() == there.tolist()[::-1]

    def test_where_two_passes_meet_the_price_stands_still(self):
        path = path_of([5, 9, 2])

        assert path.ticks_at(whole(range(-3, 9))).tolist() == [2, 9, 5, 5, 9, 2, 2, 9, 5, 5, 9, 2]

    def test_a_path_that_is_not_mirrored_holds_its_ends(self):
        path = path_of([5, 9, 2], mirrored=False)

        assert path.ticks_at(whole(range(-2, 6))).tolist() == [5, 5, 5, 9, 2, 2, 2, 2]

    def test_a_bar_far_in_the_past_does_not_overflow(self):
        path = path_of([7_000_000] * 8_000)

        bar = path.bars(whole([-7 * 10**9]), whole([-7 * 10**9 + 345_600]))

        assert bar.notional.tolist() == [345_600 * 7_000_000 * (7_000_000 % 7 + 1)]

    @pytest.mark.parametrize("ticks", [[], [0, 1]])
    def test_a_path_needs_positive_prices(self, ticks):
        with pytest.raises(ValueError, match="positive prices"):
            path_of(ticks)


class TestTimeline:
    @given(prices, prices, st.integers(-50, 50), st.lists(spans, min_size=1, max_size=4))
    def test_bars_join_the_paths_that_they_run_over(self, before, after, turn, wanted):
        recorded = Segment(0, 0, path_of(before))
        scripted = Segment(turn, turn, path_of(after, mirrored=False))
        timeline = Timeline([recorded]).followed_by(scripted)
        starts = whole([start for start, _ in wanted])
        stops = whole([start + length for start, length in wanted])

        bars = timeline.bars(starts, stops)

        expected = [
            brute_force(timeline.ticks_between(start, start + length).tolist())
            for start, length in wanted
        ]
        assert rows_of(bars) == expected

    def test_what_came_before_a_script_stays(self):
        timeline = Timeline([Segment(0, 0, path_of([1, 2, 3, 4]))])
        followed = timeline.followed_by(Segment(2, 2, path_of([50], mirrored=False)))

        assert followed.ticks_between(-2, 5).tolist() == [2, 1, 1, 2, 50, 50, 50]

    def test_a_later_script_replaces_one_that_had_not_begun(self):
        timeline = Timeline([Segment(0, 0, path_of([1], mirrored=False))])
        late = timeline.followed_by(Segment(10, 10, path_of([2], mirrored=False)))
        early = late.followed_by(Segment(5, 5, path_of([3], mirrored=False)))

        assert early.ticks_at(4) == 1
        assert early.ticks_at(20) == 3
