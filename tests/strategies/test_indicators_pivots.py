"""Pivot levels, against published figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.indicators.pivots import central_pivot_range

PRICES = st.floats(min_value=1, max_value=1_000_000)


def levels_of(high, low, close):
    levels = central_pivot_range(*(np.array([each]) for each in (high, low, close)))
    return {name: float(level[0]) for name, level in levels._asdict().items()}


def test_the_levels_of_a_period_are_the_published_ones():
    assert levels_of(110.0, 100.0, 108.0) == {
        "pivot": 106.0,
        "top": 107.0,
        "bottom": 105.0,
        "r1": 112.0,
        "s1": 102.0,
        "r2": 116.0,
        "s2": 96.0,
        "r3": 126.0,
        "s3": 86.0,
        "r4": 130.0,
        "s4": 80.0,
    }


def test_the_distance_of_the_first_support_from_the_range_is_the_published_one():
    levels = levels_of(110.0, 100.0, 108.0)

    distance = (levels["bottom"] - levels["s1"]) / levels["bottom"]
    assert distance * 100 == pytest.approx(2.857, abs=5e-4)


def test_a_weak_close_turns_the_range_over_and_not_its_edges():
    levels = levels_of(110.0, 100.0, 101.0)

    assert levels["bottom"] < levels["pivot"] < levels["top"] == 105.0


@given(st.tuples(PRICES, PRICES, PRICES))
def test_the_pivot_lies_in_the_middle_of_its_range_and_levels_are_in_order(prices):
    low, close, high = sorted(prices)
    levels = levels_of(high, low, close)

    middle = (levels["top"] + levels["bottom"]) / 2
    assert middle == pytest.approx(levels["pivot"])
    tolerance = 1e-9 * high
    assert levels["bottom"] <= levels["pivot"] + tolerance
    assert levels["pivot"] <= levels["top"] + tolerance
    for upper, lower in (("r2", "r1"), ("r3", "r2"), ("s1", "s2"), ("s2", "s3")):
        assert levels[upper] >= levels[lower] - tolerance
