"""The bars that groups compute over, kept by each process between one bar and the next.

A group computes over everything since its group's anchor, so that a replay sees the same floats.
Reading all of it again at each bar would not scale with time, so each process keeps the columns and
reads only the newest bars again, a few more than needed because a venue may still revise them.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from exchanges.selectors import candles as stored
from market.candles import Candles
from market.timeframes import Timeframe

#: Bars that are read again each time.
_OVERLAP: Final = 5

#: A gap in the middle may be filled later on, so everything is read again this often.
_READ_WHOLE_S: Final = 300.0

#: What one process keeps at most; the series that was used longest ago goes first.
_MOST_BYTES: Final = 200_000_000


class SeriesKey(NamedTuple):
    """The bars of an instrument since an anchor."""

    instrument_id: int
    timeframe: Timeframe
    anchor_ms: int


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

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return sum(column.nbytes for column in self.columns)


_kept: dict[tuple[int, Timeframe], _Series] = {}


def load_many(keys: Collection[SeriesKey], *, now_ms: int) -> Mapping[SeriesKey, Candles]:
    """Return the closed bars of each key that open from its anchor on.

    The arrays belong to this process's store and are valid until the next call.
    """
    anchors: dict[tuple[int, Timeframe], int] = {}
    for key in keys:
        place = (key.instrument_id, key.timeframe)
        anchors[place] = min(key.anchor_ms, anchors.get(place, key.anchor_ms))
    used = {place: _kept.pop(place, _Series()) for place in anchors}
    _kept.update(used)
    _let_go(keep=len(used))
    newest: dict[Timeframe, dict[int, int]] = {}
    for (instrument_id, timeframe), series in used.items():
        from_ms = _read_from(series, anchors[instrument_id, timeframe])
        if from_ms > anchors[instrument_id, timeframe]:
            newest.setdefault(timeframe, {})[instrument_id] = from_ms
            continue
        whole = stored.load_candles(
            instrument_id=instrument_id,
            timeframe=timeframe,
            from_ms=from_ms,
            to_ms=_end(timeframe, now_ms),
        )
        series.replace_from(whole)
    for timeframe, from_ms_of in newest.items():
        read = stored.load_newest(
            timeframe=timeframe, from_ms_of=from_ms_of, to_ms=_end(timeframe, now_ms)
        )
        for instrument_id, newer in read.items():
            used[instrument_id, timeframe].replace_from(newer)
    return {
        key: used[key.instrument_id, key.timeframe]
        .view()
        .between(key.anchor_ms, _end(key.timeframe, now_ms))
        for key in keys
    }


def forget_all() -> None:
    """Drop what this process keeps, so that everything is read again."""
    _kept.clear()


def _end(timeframe: Timeframe, now_ms: int) -> int:
    # Only closed bars are stored; a venue's clock may be a little ahead of ours.
    return now_ms + timeframe.milliseconds


def _let_go(*, keep: int) -> None:
    """Forget what was used longest ago, but never the *keep* newest."""
    size = sum(series.size for series in _kept.values())
    while size > _MOST_BYTES and len(_kept) > keep:
        size -= _kept.pop(next(iter(_kept))).size


def _read_from(series: _Series, anchor_ms: int) -> int:
    """Return where to read from: the newest bars, or everything if older ones may have come in."""
    known = series.view().open_time
    clock_s = time.monotonic()
    is_due = clock_s - series.read_whole_at_s > _READ_WHOLE_S
    if is_due or not len(known) or int(known[0]) > anchor_ms:
        series.read_whole_at_s = clock_s
        return anchor_ms
    return max(int(known[max(len(known) - _OVERLAP, 0)]), anchor_ms)


def _grown(column: np.ndarray, used: int, needed: int) -> np.ndarray:
    larger = np.empty(max(needed, 2 * len(column)), dtype=column.dtype)
    larger[:used] = column[:used]
    return larger
