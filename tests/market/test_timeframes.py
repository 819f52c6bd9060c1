"""The UTC grid of bars."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.timeframes import Timeframe, from_milliseconds, to_milliseconds

INSTANTS = st.integers(min_value=0, max_value=4_102_444_800_000)


def ms(year, month, day, hour=0, minute=0, second=0):
    return to_milliseconds(datetime(year, month, day, hour, minute, second, tzinfo=UTC))


@pytest.mark.parametrize(
    ("timeframe", "instant", "opens", "closes"),
    [
        (Timeframe.M1, (2024, 3, 5, 10, 7, 42), (2024, 3, 5, 10, 7), (2024, 3, 5, 10, 8)),
        (Timeframe.H4, (2024, 3, 5, 10, 7), (2024, 3, 5, 8), (2024, 3, 5, 12)),
        (Timeframe.W1, (2024, 3, 3, 23, 59), (2024, 2, 26), (2024, 3, 4)),
        (Timeframe.W1, (2024, 3, 4), (2024, 3, 4), (2024, 3, 11)),
        (Timeframe.MO1, (2024, 2, 29, 23), (2024, 2, 1), (2024, 3, 1)),
        (Timeframe.MO1, (2023, 12, 31), (2023, 12, 1), (2024, 1, 1)),
    ],
)
def test_an_instant_belongs_to_one_bar(timeframe, instant, opens, closes):
    assert timeframe.open_of(ms(*instant)) == ms(*opens)
    assert timeframe.close_of(ms(*opens)) == ms(*closes)


@given(instant=INSTANTS, timeframe=st.sampled_from(Timeframe))
def test_bars_tile_time(instant, timeframe):
    opens = timeframe.open_of(instant)
    closes = timeframe.close_of(opens)

    assert opens <= instant < closes
    assert timeframe.is_on_grid(opens)
    assert timeframe.is_on_grid(closes)
    assert timeframe.open_of(closes - 1) == opens


@given(instant=INSTANTS)
def test_milliseconds_survive_the_way_through_datetime(instant):
    assert to_milliseconds(from_milliseconds(instant)) == instant


def test_a_naive_instant_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        to_milliseconds(datetime(2024, 1, 1))  # noqa: DTZ001 - the mistake under test


@given(instants=st.lists(INSTANTS, max_size=5), timeframe=st.sampled_from(Timeframe))
def test_a_column_of_opens_closes_as_each_of_them_does(instants, timeframe):
    opens = np.array([timeframe.open_of(each) for each in instants], dtype=np.int64)

    assert timeframe.closes_of(opens).tolist() == [
        timeframe.close_of(each) for each in opens.tolist()
    ]
