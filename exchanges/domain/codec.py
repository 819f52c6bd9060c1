"""How candles become bytes.

Codec 1: six little-endian columns one after the other (open times as int64 differences, the first
from zero; then open, high, low, close and volume as float64), compressed as one zstd frame that
carries a checksum.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from market.candles import Candles
from market.errors import PlatformError

CODEC: Final = 1

_LEVEL: Final = 3
_COLUMNS: Final = 6
_ITEM_BYTES: Final = 8
#: So many bars are worth a second thread, for decompressing holds no lock.
_MANY_ROWS: Final = 100_000
_THREADS: Final = 2


class CorruptChunkError(PlatformError):
    """Stored candles cannot be read back; they have to be imported or fetched again."""

    code = "corrupt_chunk"


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """The bytes of one chunk, with what is needed to read them."""

    codec: int
    row_count: int
    data: bytes


def encode(candles: Candles) -> bytes:
    """Return *candles* in the bytes of codec 1."""
    differences = np.diff(candles.open_time, prepend=np.int64(0))
    values = candles.columns()[1:]
    raw = b"".join(
        (
            differences.astype("<i8", copy=False).tobytes(),
            *(column.astype("<f8", copy=False).tobytes() for column in values),
        )
    )
    return bytes(zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(raw))


def decode(chunks: Sequence[EncodedChunk]) -> Candles:
    """Return the bars of *chunks* joined, in the order given; raise CorruptChunkError if one is damaged."""
    total = sum(chunk.row_count for chunk in chunks)
    times = np.empty(total, dtype=np.int64)
    values = np.empty((_COLUMNS - 1, total), dtype=np.float64)
    ends = np.cumsum([chunk.row_count for chunk in chunks], dtype=np.int64)

    def decode_one(chunk: EncodedChunk, stop: int) -> None:
        start = stop - chunk.row_count
        _decode_into(times[start:stop], values[:, start:stop], chunk)

    if total < _MANY_ROWS:
        for chunk, stop in zip(chunks, ends, strict=True):
            decode_one(chunk, stop)
    else:
        with ThreadPoolExecutor(_THREADS) as threads:
            # Asking for the results raises what went wrong.
            list(threads.map(decode_one, chunks, ends))
    return Candles(times, *values)


def _decode_into(
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    chunk: EncodedChunk,
) -> None:
    if chunk.codec != CODEC:
        raise CorruptChunkError(f"Candles in the unknown codec {chunk.codec}.")
    try:
        raw = zstandard.ZstdDecompressor().decompress(chunk.data)
    except zstandard.ZstdError as error:
        raise CorruptChunkError(f"Stored candles are damaged: {error}.") from None
    count = chunk.row_count
    if len(raw) != count * _COLUMNS * _ITEM_BYTES:
        raise CorruptChunkError(f"{count} candles expected, {len(raw)} bytes found.")
    np.cumsum(np.frombuffer(raw, "<i8", count), out=times)
    for column in range(_COLUMNS - 1):
        values[column] = np.frombuffer(raw, "<f8", count, (column + 1) * count * _ITEM_BYTES)
