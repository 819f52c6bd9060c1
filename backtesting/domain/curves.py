"""The equity curve of a run, as it is stored, and as few points of it as a chart can show."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np
import zstandard
from numpy.typing import NDArray

from backtesting.metrics.drawdowns import underwater

#: The first byte of a stored curve: how the rest is written.
_CODEC: Final = 1
_LEVEL: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class EquityCurve:
    """Values after each bar from the effective start on, arrays of shape ``(n,)``.

    ``close_time`` int64 milliseconds UTC; ``equity`` and ``buy_and_hold`` float64 in quote. The
    starting ``capital`` comes before the first of them.
    """

    close_time: NDArray[np.int64]
    equity: NDArray[np.float64]
    buy_and_hold: NDArray[np.float64]
    capital: float

    def __len__(self) -> int:
        return len(self.close_time)

    def drawdown(self) -> NDArray[np.float64]:
        """Return how far equity is below its peak, as a fraction, 0 or less."""
        curve = np.concatenate([[self.capital], self.equity])
        fall: NDArray[np.float64] = -underwater(curve)[1:]
        return fall

    def to_bytes(self) -> bytes:
        """Return the columns, little-endian and compressed."""
        columns = (
            self.close_time.astype("<i8"),
            self.equity.astype("<f8"),
            self.buy_and_hold.astype("<f8"),
        )
        packed = zstandard.compress(b"".join(column.tobytes() for column in columns), _LEVEL)
        return bytes([_CODEC]) + packed

    @classmethod
    def from_bytes(cls, data: bytes, *, capital: float) -> Self:
        """Read what ``to_bytes`` wrote; raise ValueError for another codec."""
        if data[0] != _CODEC:
            raise ValueError(f"An equity curve of codec {data[0]} cannot be read.")
        raw = zstandard.decompress(data[1:])
        third = len(raw) // 3
        return cls(
            close_time=np.frombuffer(raw[:third], dtype="<i8").astype(np.int64),
            equity=np.frombuffer(raw[third : 2 * third], dtype="<f8").astype(np.float64),
            buy_and_hold=np.frombuffer(raw[2 * third :], dtype="<f8").astype(np.float64),
            capital=capital,
        )


@dataclass(frozen=True, slots=True, eq=False)
class ExposureCurve:
    """What a run over many markets had at stake after each bar of its equity curve, shape ``(n,)``.

    ``gross`` and ``net`` are the worth of all positions without and with their sign, as a fraction
    of equity; ``positions`` is how many were open.
    """

    gross: NDArray[np.float64]
    net: NDArray[np.float64]
    positions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.gross)

    def to_bytes(self) -> bytes:
        """Return the columns, little-endian and compressed."""
        columns = (self.gross.astype("<f8"), self.net.astype("<f8"), self.positions.astype("<i8"))
        packed = zstandard.compress(b"".join(column.tobytes() for column in columns), _LEVEL)
        return bytes([_CODEC]) + packed

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote; raise ValueError for another codec."""
        if data[0] != _CODEC:
            raise ValueError(f"An exposure curve of codec {data[0]} cannot be read.")
        raw = zstandard.decompress(data[1:])
        third = len(raw) // 3
        return cls(
            gross=np.frombuffer(raw[:third], dtype="<f8").astype(np.float64),
            net=np.frombuffer(raw[third : 2 * third], dtype="<f8").astype(np.float64),
            positions=np.frombuffer(raw[2 * third :], dtype="<i8").astype(np.int64),
        )


def thinned_indices(values: NDArray[np.float64], *, limit: int) -> NDArray[np.int64]:
    """Return at most *limit* indices, ascending, that keep the look of the line.

    The first and the last are kept, and the lowest and the highest of each of as many equal
    stretches as fit. *limit* is at least 4, *values* without NaN.
    """
    count = len(values)
    if count <= limit:
        return np.arange(count, dtype=np.int64)
    edges = np.linspace(1, count - 1, (limit - 2) // 2 + 1).astype(np.int64).tolist()
    kept = {0, count - 1}
    for start, stop in pairwise(edges):
        if start < stop:
            part = values[start:stop]
            kept.update((start + int(np.argmin(part)), start + int(np.argmax(part))))
    return np.array(sorted(kept), dtype=np.int64)
