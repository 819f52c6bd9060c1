"""The price as a pure function of time, sampled four times a second.

Time is counted in *samples*: sample ``k`` covers the 250 ms from ``k * SAMPLE_MS`` on, and the
price is constant within it. A candle of any length is the exact aggregate of its samples, so a
minute always equals its sixty seconds. Prices are whole ticks and volumes whole lots (int64).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_MS: Final = 250
SAMPLES_PER_SECOND: Final = 1_000 // SAMPLE_MS

#: Extremes are looked up in blocks of so many samples; what sticks out is read sample by sample.
_BLOCK: Final = 16

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SampledBars:
    """Aggregates of samples, all of shape ``(n,)``: prices in ticks, ``volume`` in lots.

    ``notional`` is the sum of ticks x lots, ``samples`` the number of samples in the bar.
    """

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    notional: Ints
    samples: Ints


class PricePath:
    """A finite row of samples, continued without end in both directions.

    A mirrored path runs to its end, back to its start and so on: every second pass is reversed
    in time, so it never jumps. Any other path holds its first price before and its last after.
    """

    def __init__(self, ticks: Ints, lots: Ints, *, mirrored: bool) -> None:
        if not len(ticks) or ticks.shape != lots.shape or int(ticks.min()) < 1:
            raise ValueError("A price path needs positive prices and a volume for each.")
        self._ticks = np.ascontiguousarray(ticks, dtype=np.int64)
        self._lots = np.ascontiguousarray(lots, dtype=np.int64)
        self._mirrored = mirrored
        self._length = len(ticks)
        self._lot_sums = _running_sums(self._lots)
        self._notional_sums = _running_sums(self._ticks * self._lots)
        self._highs: list[Ints] | None = None
        self._lows: list[Ints] | None = None

    def __len__(self) -> int:
        return self._length

    def ticks_at(self, samples: Ints) -> Ints:
        """Return the price in each of *samples*, counted from the start of the path."""
        return self._ticks[self._fold(samples)]

    def bars(self, starts: Ints, stops: Ints) -> SampledBars:
        """Return the aggregate of each ``[start, stop)``; every one must hold a sample."""
        low, high = self._extremes(*self._covered(starts, stops))
        return SampledBars(
            open=self.ticks_at(starts),
            high=high,
            low=low,
            close=self.ticks_at(stops - 1),
            volume=self._summed(self._lot_sums, self._lots, starts, stops),
            notional=self._summed(self._notional_sums, self._ticks * self._lots, starts, stops),
            samples=stops - starts,
        )

    def _fold(self, samples: Ints) -> Ints:
        if not self._mirrored:
            return np.clip(samples, 0, self._length - 1)
        passes, position = np.divmod(samples, self._length)
        return np.where(passes % 2 == 0, position, self._length - 1 - position)

    def _covered(self, starts: Ints, stops: Ints) -> tuple[Ints, Ints]:
        """Return the part of the path that each ``[start, stop)`` runs over; always one piece."""
        first, last = self._fold(starts), self._fold(stops - 1)
        begin, end = np.minimum(first, last), np.maximum(first, last) + 1
        if self._mirrored:
            first_pass = np.floor_divide(starts, self._length)
            turns = np.floor_divide(stops - 1, self._length) - first_pass
            turns_at_end = first_pass % 2 == 0
            begin = np.where((turns > 1) | ((turns == 1) & ~turns_at_end), 0, begin)
            end = np.where((turns > 1) | ((turns == 1) & turns_at_end), self._length, end)
        return begin, end

    def _summed(self, sums: Ints, values: Ints, starts: Ints, stops: Ints) -> Ints:
        if not self._mirrored:

            def up_to(samples: Ints) -> Ints:
                inside = sums[np.clip(samples, 0, self._length)]
                before = np.minimum(samples, 0) * values[0]
                after = np.maximum(samples - self._length, 0) * values[-1]
                reached: Ints = inside + before + after
                return reached

            return up_to(stops) - up_to(starts)
        total = sums[-1]
        start_cycle, start = np.divmod(starts, 2 * self._length)
        stop_cycle, stop = np.divmod(stops, 2 * self._length)

        def within(position: Ints) -> Ints:
            forward = sums[np.minimum(position, self._length)]
            backward = total - sums[np.minimum(2 * self._length - position, self._length)]
            passed: Ints = forward + backward
            return passed

        # Whole cycles are counted as a difference: sums since 1970 would not fit into 64 bits.
        whole: Ints = (stop_cycle - start_cycle) * 2 * total
        return whole + within(stop) - within(start)

    def _extremes(self, begin: Ints, end: Ints) -> tuple[Ints, Ints]:
        if self._highs is None or self._lows is None:
            self._highs = _range_table(self._ticks, np.maximum)
            self._lows = _range_table(self._ticks, np.minimum)
        offsets = np.arange(_BLOCK)
        left = self._ticks[np.minimum(begin[:, None] + offsets, end[:, None] - 1)]
        right = self._ticks[np.maximum(end[:, None] - 1 - offsets, begin[:, None])]
        low = np.minimum(left.min(axis=1), right.min(axis=1))
        high = np.maximum(left.max(axis=1), right.max(axis=1))
        first_block, last_block = -(-begin // _BLOCK), end // _BLOCK
        wide = np.flatnonzero(last_block > first_block)
        if len(wide):
            blocks = first_block[wide], last_block[wide]
            low[wide] = np.minimum(low[wide], _look_up(self._lows, *blocks, np.minimum))
            high[wide] = np.maximum(high[wide], _look_up(self._highs, *blocks, np.maximum))
        return low, high


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A path that is valid from sample ``valid_from`` on and begins at sample ``origin``."""

    valid_from: int
    origin: int
    path: PricePath


class Timeline:
    """The price of a market for all time: paths that follow one another, the first from ever."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        if not segments:
            raise ValueError("A timeline needs a path.")
        self._segments = tuple(sorted(segments, key=lambda segment: segment.valid_from))

    def followed_by(self, segment: Segment) -> "Timeline":
        """Return a timeline that goes over to *segment* when that becomes valid."""
        kept = [known for known in self._segments if known.valid_from < segment.valid_from]
        return Timeline([*kept, segment])

    def ticks_at(self, sample: int) -> int:
        """Return the price in *sample*, which counts from 1970."""
        return int(self.ticks_between(sample, sample + 1)[0])

    def ticks_between(self, start: int, stop: int) -> Ints:
        """Return the prices of the samples ``[start, stop)``."""
        samples = np.arange(start, stop, dtype=np.int64)
        ticks = np.empty(len(samples), dtype=np.int64)
        for place, (valid_from, valid_to, segment) in enumerate(self._spans()):
            wanted = (samples < valid_to) & ((samples >= valid_from) | (place == 0))
            ticks[wanted] = segment.path.ticks_at(samples[wanted] - segment.origin)
        return ticks

    def bars(self, starts: Ints, stops: Ints) -> SampledBars:
        """Return the aggregates of the sample ranges ``[start, stop)``, none of them empty."""
        columns = {
            name: np.zeros(len(starts), dtype=np.int64) for name in SampledBars.__dataclass_fields__
        }
        for place, (valid_from, valid_to, segment) in enumerate(self._spans()):
            begin = starts if place == 0 else np.maximum(starts, valid_from)
            end = np.minimum(stops, valid_to)
            at = np.flatnonzero(begin < end)
            if not len(at):
                continue
            part = segment.path.bars(begin[at] - segment.origin, end[at] - segment.origin)
            fresh = columns["samples"][at] == 0
            columns["open"][at] = np.where(fresh, part.open, columns["open"][at])
            columns["high"][at] = np.maximum(part.high, columns["high"][at])
            columns["low"][at] = np.where(fresh, part.low, np.minimum(part.low, columns["low"][at]))
            columns["close"][at] = part.close
            for name in ("volume", "notional", "samples"):
                columns[name][at] += getattr(part, name)
        return SampledBars(**columns)

    def _spans(self) -> Sequence[tuple[int, int, Segment]]:
        ends = [segment.valid_from for segment in self._segments[1:]]
        forever = int(np.iinfo(np.int64).max)
        return [
            (segment.valid_from, end, segment)
            for segment, end in zip(self._segments, [*ends, forever], strict=True)
        ]


def _running_sums(values: Ints) -> Ints:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])


def _range_table(values: Ints, pick: np.ufunc) -> list[Ints]:
    """Return a sparse table: row ``j`` holds the extreme of each ``2**j`` blocks in a row."""
    whole = len(values) // _BLOCK
    if not whole:
        return []
    rows = [pick.reduce(values[: whole * _BLOCK].reshape(whole, _BLOCK), axis=1)]
    width = 1
    while 2 * width <= whole:
        rows.append(pick(rows[-1][:-width], rows[-1][width:]))
        width *= 2
    return rows


def _look_up(table: list[Ints], first: Ints, last: Ints, pick: np.ufunc) -> Ints:
    """Return the extreme over the blocks ``[first, last)``, which must not be empty."""
    levels = np.frexp((last - first).astype(np.float64))[1].astype(np.int64) - 1
    found = np.empty(len(first), dtype=np.int64)
    for level in np.unique(levels):
        at = np.flatnonzero(levels == level)
        row = table[int(level)]
        found[at] = pick(row[first[at]], row[last[at] - (1 << int(level))])
    return found
