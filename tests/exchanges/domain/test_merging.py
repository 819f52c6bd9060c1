"""Joining stored bars with incoming ones, and the gaps between bars."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exchanges.domain.gaps import Gap, find_gaps
from exchanges.domain.merging import merge
from market.candles import Candles
from market.timeframes import DAY_MS, HOUR_MS, Timeframe
from tests.factories.exchanges import NEW_YEAR_MS

sparse = st.dictionaries(st.integers(0, 30), st.integers(1, 3), max_size=20)


def bars(values: dict[int, int]) -> Candles:
    return Candles.from_rows(
        [
            (NEW_YEAR_MS + hour * HOUR_MS, price, price + 1, price - 0.5, price, 1.0)
            for hour, price in sorted(values.items())
        ]
    )


@given(sparse, sparse)
def test_merging_is_what_it_would_be_with_dictionaries(stored, incoming):
    result = merge(bars(stored), bars(incoming))

    assert result.candles.rows() == bars(stored | incoming).rows()
    added = {hour: price for hour, price in incoming.items() if hour not in stored}
    assert result.added.rows() == bars(added).rows()
    changed = {h: p for h, p in incoming.items() if h in stored and stored[h] != p}
    assert result.changed.rows() == bars(changed).rows()
    assert result.former.rows() == bars({hour: stored[hour] for hour in changed}).rows()
    assert result.is_unchanged == (not added and not changed)


@given(sparse)
def test_bars_and_gaps_together_fill_the_whole_stretch(values):
    times = bars(values).open_time

    gaps = find_gaps(times, Timeframe.H1)

    if len(times):
        length = (int(times[-1]) - int(times[0])) // HOUR_MS + 1
        assert len(times) + sum(gap.missing for gap in gaps) == length
    for gap in gaps:
        assert (gap.to_ms - gap.from_ms) // HOUR_MS == gap.missing > 0
        assert not np.isin(times, np.arange(gap.from_ms, gap.to_ms, HOUR_MS)).any()


def test_calendar_months_have_gaps_of_months():
    january, april = NEW_YEAR_MS, NEW_YEAR_MS + (31 + 29 + 31) * DAY_MS

    gaps = find_gaps(np.array([january, april]), Timeframe.MO1)

    assert gaps == [Gap(NEW_YEAR_MS + 31 * DAY_MS, april, 2)]
