"""Candles as columns."""

from market.candles import Candles

ROWS = [
    (0, 1.0, 3.0, 0.5, 2.0, 10.0),
    (60, 2.0, 4.0, 1.5, 3.0, 11.0),
    (180, 3.0, 3.5, 2.5, 3.0, 0.0),
]


def test_rows_become_columns_and_rows_again():
    candles = Candles.from_rows(ROWS)

    assert len(candles) == 3
    assert candles.high.tolist() == [3.0, 4.0, 3.5]
    assert candles.rows() == ROWS
    assert all(column.flags["C_CONTIGUOUS"] for column in candles.columns())


def test_a_window_is_half_open_and_finds_bars_around_a_gap():
    candles = Candles.from_rows(ROWS)

    assert candles.between(60, 180).rows() == ROWS[1:2]
    assert candles.between(61, 181).rows() == ROWS[2:]
    assert candles.between(61, 180).rows() == []


def test_parts_are_joined_in_their_order():
    candles = Candles.from_rows(ROWS)

    assert Candles.concatenate([candles.slice(0, 1), candles.slice(1, 3)]).rows() == ROWS
    assert len(Candles.concatenate([])) == 0
    assert len(Candles.empty()) == 0
