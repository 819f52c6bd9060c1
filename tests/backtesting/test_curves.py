"""Equity curves as they are stored and thinned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtesting.domain.curves import EquityCurve, thinned_indices

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=600)


def curve_of(values: list[float]) -> EquityCurve:
    equity = np.array(values, dtype=np.float64)
    times = np.arange(len(values), dtype=np.int64) * 1_000
    return EquityCurve(times, equity, equity * 2, capital=100.0)


@given(VALUES)
def test_a_curve_comes_back_bit_for_bit(values):
    curve = curve_of(values)

    again = EquityCurve.from_bytes(curve.to_bytes(), capital=100.0)

    assert again.close_time.tobytes() == curve.close_time.tobytes()
    assert again.equity.tobytes() == curve.equity.tobytes()
    assert again.buy_and_hold.tobytes() == curve.buy_and_hold.tobytes()


def test_an_unknown_codec_is_refused():
    with pytest.raises(ValueError, match="codec 9"):
        EquityCurve.from_bytes(b"\x09abc", capital=1.0)


def test_drawdown_counts_from_the_capital_and_is_never_above_zero():
    drawdown = curve_of([90.0, 100.0, 120.0, 60.0]).drawdown()

    assert drawdown.tolist() == pytest.approx([-0.1, 0.0, 0.0, -0.5])


@given(VALUES, st.integers(4, 100))
def test_thinning_keeps_ends_and_extremes_within_its_limit(values, limit):
    array = np.array(values, dtype=np.float64)

    kept = thinned_indices(array, limit=limit)

    assert len(kept) <= max(limit, 1)
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    assert array[kept].min() == array.min()
    assert array[kept].max() == array.max()
    assert np.all(np.diff(kept) > 0)
