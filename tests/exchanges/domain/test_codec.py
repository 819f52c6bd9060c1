"""Candles as bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.domain import codec
from exchanges.domain.codec import CorruptChunkError, EncodedChunk
from market.candles import Candles
from tests.factories.exchanges import make_candles

numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)
rows = st.lists(st.tuples(numbers, numbers, numbers, numbers, numbers), min_size=0, max_size=40)


def encoded(candles: Candles) -> EncodedChunk:
    return EncodedChunk(codec.CODEC, len(candles), codec.encode(candles))


@given(rows, st.integers(-(2**40), 2**41))
def test_every_bit_of_every_value_comes_back(values, first_ms):
    candles = Candles.from_rows([(first_ms + 7 * index, *row) for index, row in enumerate(values)])

    back = codec.decode([encoded(candles)])

    for before, after in zip(candles.columns(), back.columns(), strict=True):
        assert before.tobytes() == after.tobytes()
        assert after.flags.c_contiguous


def test_several_chunks_are_joined_in_the_order_given():
    candles = make_candles([100.0 + n for n in range(30)])

    back = codec.decode([encoded(candles.slice(0, 11)), encoded(candles.slice(11, 30))])

    assert np.array_equal(back.open_time, candles.open_time)
    assert np.array_equal(back.volume, candles.volume)


def test_no_chunk_gives_no_bars():
    assert len(codec.decode([])) == 0


@pytest.mark.parametrize(
    "damaged",
    [
        lambda c: EncodedChunk(c.codec, c.row_count, c.data[:-9] + b"damaged!!"),
        lambda c: EncodedChunk(c.codec, c.row_count, b"nothing of ours"),
        lambda c: EncodedChunk(c.codec, c.row_count + 1, c.data),
        lambda c: EncodedChunk(99, c.row_count, c.data),
    ],
    ids=["flipped bytes", "other bytes", "wrong count", "unknown codec"],
)
def test_damage_is_noticed(damaged):
    chunk = encoded(make_candles([float(n) for n in range(1, 500)]))

    with pytest.raises(CorruptChunkError):
        codec.decode([damaged(chunk)])
