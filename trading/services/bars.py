"""The bars of signal groups, kept in this process and extended by what is new.

A strategy computes over everything since its group's anchor, so that a replay sees the same floats.
Reading all of it again at each bar would not scale with time, so each process keeps the columns and
reads only the newest bars again, a few more than needed because a venue may still revise them.
"""

import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from exchanges.selectors import candles as stored
from market.candles import Candles
from market.timeframes import Timeframe

#: Bars that are read again each time.
_OVERLAP: Final = 5

#: A gap in the middle may be filled later on, so everything is read again this often.
_READ_WHOLE_S: Final = 300.0

#: Series that one process keeps; the one that was used longest ago goes first.
_MOST_SERIES: Final = 64


@dataclass(slots=True)
class _Series:
    """Columns with room to grow: appending a bar copies nothing but that bar."""

    count: int = 0
    read_whole_at_s: float = 0.0
    columns: list[np.ndarray] = field(
        default_factory=lambda: [
            np.empty(1_024, dtype=np.int64 if column == 0 else np.float64) for column in range(6)
        ]
    )

    def view(self) -> Candles:
        """Return the bars without copying them."""
        return Candles(*(column[: self.count] for column in self.columns))

    def replace_from(self, newer: Candles) -> None:
        """Put *newer* in the place of everything from its first bar on."""
        if not len(newer):
            return
        times = self.columns[0][: self.count]
        start = int(np.searchsorted(times, newer.open_time[0], side="left"))
        needed = start + len(newer)
        if needed > len(self.columns[0]):
            self.columns = [_grown(column, self.count, needed) for column in self.columns]
        for column, values in zip(self.columns, newer.columns(), strict=True):
            column[start:needed] = values
        self.count = needed


_kept: dict[tuple[int, Timeframe, int], _Series] = {}


def load(*, instrument_id: int, timeframe: Timeframe, anchor_ms: int, to_ms: int) -> Candles:
    """Return the closed bars that open in ``[anchor_ms, to_ms)``.

    The arrays belong to this process's store and are valid until the next call for the same series.
    """
    key = (instrument_id, timeframe, anchor_ms)
    series = _kept.pop(key, None) or _Series()
    _kept[key] = series
    while len(_kept) > _MOST_SERIES:
        _kept.pop(next(iter(_kept)))
    from_ms = _read_from(series, anchor_ms)
    newer = stored.load_candles(
        instrument_id=instrument_id, timeframe=timeframe, from_ms=from_ms, to_ms=to_ms
    )
    series.replace_from(newer)
    return series.view().between(anchor_ms, to_ms)


def _read_from(series: _Series, anchor_ms: int) -> int:
    """Return where to read from: the newest bars, or everything if older ones may have come in."""
    known = series.view().open_time
    clock_s = time.monotonic()
    is_due = clock_s - series.read_whole_at_s > _READ_WHOLE_S
    if is_due or not len(known) or int(known[0]) > anchor_ms:
        series.read_whole_at_s = clock_s
        return anchor_ms
    return int(known[max(len(known) - _OVERLAP, 0)])


def forget_all() -> None:
    """Drop what this process keeps, so that everything is read again."""
    _kept.clear()


def _grown(column: np.ndarray, used: int, needed: int) -> np.ndarray:
    larger = np.empty(max(needed, 2 * len(column)), dtype=column.dtype)
    larger[:used] = column[:used]
    return larger
