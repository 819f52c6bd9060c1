"""Which chunk a bar belongs to."""

from datetime import UTC, datetime

import numpy as np
import pytest

from exchanges.domain.chunking import Period, bounds_of, period_of, split_by_chunk
from market.timeframes import Timeframe, to_milliseconds
from tests.factories.exchanges import make_candles


def ms(year: int, month: int, day: int, hour: int = 0) -> int:
    return to_milliseconds(datetime(year, month, day, hour, tzinfo=UTC))


@pytest.mark.parametrize(
    ("timeframe", "period"),
    [
        (Timeframe.S1, Period.DAY),
        (Timeframe.M1, Period.MONTH),
        (Timeframe.M30, Period.MONTH),
        (Timeframe.H1, Period.YEAR),
        (Timeframe.W1, Period.YEAR),
        (Timeframe.MO1, Period.YEAR),
    ],
)
def test_a_chunk_covers_a_day_a_month_or_a_year(timeframe, period):
    assert period_of(timeframe) is period


@pytest.mark.parametrize(
    ("timeframe", "start", "end"),
    [
        (Timeframe.S1, ms(2024, 2, 29), ms(2024, 3, 1)),
        (Timeframe.M5, ms(2024, 2, 1), ms(2024, 3, 1)),
        (Timeframe.H4, ms(2024, 1, 1), ms(2025, 1, 1)),
    ],
)
def test_the_bounds_are_those_of_the_utc_calendar(timeframe, start, end):
    assert bounds_of(timeframe, ms(2024, 2, 29, 13)) == (start, end)


def test_december_ends_with_the_year():
    assert bounds_of(Timeframe.M1, ms(2023, 12, 31, 23)) == (ms(2023, 12, 1), ms(2024, 1, 1))


def test_splitting_loses_nothing_and_keeps_every_bar_within_its_bounds():
    candles = make_candles([100.0] * 100, timeframe=Timeframe.D1, first_open_ms=ms(2023, 11, 20))

    parts = list(split_by_chunk(Timeframe.D1, candles))

    assert [len(part) for _, part in parts] == [42, 58]
    assert np.array_equal(np.concatenate([part.open_time for _, part in parts]), candles.open_time)
    for (start, end), part in parts:
        assert start <= part.open_time[0]
        assert part.open_time[-1] < end


def test_nothing_has_no_chunks():
    assert list(split_by_chunk(Timeframe.M1, make_candles([1.0]).slice(0, 0))) == []
