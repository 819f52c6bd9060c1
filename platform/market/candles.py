"""Candles as columns, the shape in which all arithmetic walks over them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: ``(open_time_ms, open, high, low, close, volume)``, the order in which exchanges answer.
CandleRow = tuple[int, float, float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """One instrument, one timeframe, oldest first.

    All arrays are contiguous and of shape ``(n,)``: ``open_time`` int64 milliseconds UTC, strictly
    increasing; the rest float64, prices in quote currency, ``volume`` in base units. Missing bars
    are simply absent.
    """

    open_time: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.open_time)

    @classmethod
    def empty(cls) -> "Candles":
        """Return no bars at all."""
        return cls.from_rows(())

    @classmethod
    def from_rows(cls, rows: Sequence[CandleRow]) -> "Candles":
        """Build the columns from rows in the order of ``CandleRow``."""
        times = np.array([row[0] for row in rows], dtype=np.int64)
        values = np.array([row[1:6] for row in rows], dtype=np.float64).reshape(len(rows), 5)
        return cls(times, *(np.ascontiguousarray(values[:, column]) for column in range(5)))

    @classmethod
    def concatenate(cls, parts: Sequence["Candles"]) -> "Candles":
        """Join *parts*, which must follow one another in time."""
        if not parts:
            return cls.empty()
        return cls(
            *(
                np.concatenate(columns)
                for columns in zip(*(part.columns() for part in parts), strict=True)
            )
        )

    def columns(self) -> tuple[NDArray[np.int64], *tuple[NDArray[np.float64], ...]]:
        """Return the six arrays in the order of ``CandleRow``."""
        return (self.open_time, self.open, self.high, self.low, self.close, self.volume)

    def slice(self, start: int, stop: int) -> "Candles":
        """Return bars ``[start, stop)`` by index, without copying."""
        open_time, *values = self.columns()
        return Candles(open_time[start:stop], *(column[start:stop] for column in values))

    def between(self, from_ms: int, to_ms: int) -> "Candles":
        """Return the bars that open in ``[from_ms, to_ms)``, without copying."""
        start, stop = np.searchsorted(self.open_time, [from_ms, to_ms], side="left")
        return self.slice(int(start), int(stop))

    def rows(self) -> list[CandleRow]:
        """Return the bars as tuples, for presenting and storing a few of them."""
        return list(zip(*(column.tolist() for column in self.columns()), strict=True))
