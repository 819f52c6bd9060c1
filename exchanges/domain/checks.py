"""What makes a bar impossible, and telling a person which rows are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles
from market.timeframes import SECOND_MS, Timeframe, from_milliseconds

#: A close this many times higher or lower than the one before is worth a word to the person.
JUMP_RATIO: Final = 1_000

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One impossible row: ``index`` counts bars from zero."""

    index: int
    code: str
    message: str


def sound(candles: Candles) -> Flags:
    """Return which bars are possible at all: finite, positive, high and low around open and close."""
    values = np.stack(candles.columns()[1:])
    with np.errstate(invalid="ignore"):
        positive = (values[:4] > 0).all(axis=0) & (candles.volume >= 0)
        around = (candles.high >= np.maximum(candles.open, candles.close)) & (
            candles.low <= np.minimum(candles.open, candles.close)
        )
    return np.isfinite(values).all(axis=0) & positive & around


def on_grid(open_time: NDArray[np.int64], timeframe: Timeframe) -> Flags:
    """Return which of *open_time* a bar of *timeframe* may open at."""
    if timeframe is Timeframe.MO1:
        return np.array([timeframe.is_on_grid(int(at)) for at in open_time], dtype=np.bool_)
    origin = timeframe.open_of(0)
    return np.asarray((open_time - origin) % timeframe.milliseconds == 0, dtype=np.bool_)


def looks_like(open_time: NDArray[np.int64], timeframe: Timeframe) -> Timeframe | None:
    """Return the timeframe that most rows are apart, if no two rows are as far apart as *timeframe* says."""
    steps = np.diff(open_time)
    steps = steps[steps > 0]
    if timeframe is Timeframe.MO1 or len(steps) < 3 or (steps == timeframe.milliseconds).any():
        return None
    lengths, counts = np.unique(steps, return_counts=True)
    usual = int(lengths[counts.argmax()])
    if counts.max() * 2 <= len(steps):
        return None
    return next((other for other in Timeframe if other.milliseconds == usual), None)


def row_problems(
    candles: Candles, timeframe: Timeframe, *, now_ms: int
) -> tuple[list[RowProblem], int]:
    """Return the problems of the first twenty impossible rows, and how many such rows there are.

    Order and repetition are looked at apart (``conflicts``), because they concern two rows.
    """
    flags = _flags(candles, timeframe, now_ms=now_ms)
    bad = np.zeros(len(candles), dtype=np.bool_)
    for flagged, _, _ in flags:
        bad |= flagged
    problems = []
    for index in np.flatnonzero(bad)[:20].tolist():
        _, code, text = next(entry for entry in flags if entry[0][index])
        problems.append(RowProblem(index, code, text(index)))
    return problems, int(bad.sum())


def order_problems(candles: Candles) -> tuple[Candles, int, list[RowProblem], int]:
    """Return *candles* without equal repetitions, how many those were, and what is out of order.

    A repetition that says something else, and a step back in time, are problems.
    """
    steps = np.diff(candles.open_time)
    same_time = np.flatnonzero(steps == 0) + 1
    equal = np.array(
        [
            all(column[index] == column[index - 1] for column in candles.columns())
            for index in same_time
        ],
        dtype=np.bool_,
    )
    conflicting = same_time[~equal] if len(same_time) else same_time
    backward = np.flatnonzero(steps < 0) + 1
    problems = [
        RowProblem(
            int(index),
            "conflicting_duplicate",
            f"a second bar at {_time(candles, index)} with other values",
        )
        for index in conflicting[:20]
    ] + [
        RowProblem(
            int(index),
            "out_of_order",
            f"{_time(candles, index)} comes after {_time(candles, index - 1)}",
        )
        for index in backward[:20]
    ]
    kept = np.ones(len(candles), dtype=np.bool_)
    dropped = same_time[equal] if len(same_time) else same_time
    kept[dropped] = False
    open_time, *values = candles.columns()
    unique = Candles(open_time[kept], *(column[kept] for column in values))
    problems.sort(key=lambda problem: problem.index)
    return unique, len(dropped), problems[:20], len(conflicting) + len(backward)


def jumps(candles: Candles) -> list[int]:
    """Return the indices of bars whose close is absurdly far from the one before."""
    with np.errstate(all="ignore"):
        ratio = candles.close[1:] / candles.close[:-1]
        far = (ratio >= JUMP_RATIO) | (ratio <= 1 / JUMP_RATIO)
    return [int(index) + 1 for index in np.flatnonzero(far)]


def _flags(
    candles: Candles, timeframe: Timeframe, *, now_ms: int
) -> list[tuple[Flags, str, Callable[[int], str]]]:
    """Return per rule which rows break it, its code, and what to say of a row; the first rule speaks."""
    c = candles
    values = np.stack(c.columns()[1:])
    body_high, body_low = np.maximum(c.open, c.close), np.minimum(c.open, c.close)
    early = c.open_time < 1_000 * 86_400 * SECOND_MS
    with np.errstate(invalid="ignore"):
        return [
            (
                early,
                "timestamp_out_of_range",
                lambda i: f"{c.open_time[i]} is not a time in milliseconds after 1972",
            ),
            (
                c.open_time > now_ms,
                "in_future",
                lambda i: f"{_time(c, i)} is in the future",
            ),
            (
                ~on_grid(c.open_time, timeframe),
                "off_grid",
                lambda i: f"no {timeframe} bar opens at {_time(c, i)}",
            ),
            (
                np.asarray(~np.isfinite(values).all(axis=0)),
                "not_a_finite_number",
                lambda i: f"values are {_row(c, i)}",
            ),
            (
                np.asarray((values[:4] <= 0).any(axis=0)),
                "price_not_positive",
                lambda i: f"prices are {_row(c, i)}",
            ),
            (c.volume < 0, "negative_volume", lambda i: f"volume {c.volume[i]:g} < 0"),
            (
                c.high < c.low,
                "high_below_low",
                lambda i: f"high {c.high[i]:g} < low {c.low[i]:g}",
            ),
            (
                (c.high < body_high) | (c.low > body_low),
                "outside_range",
                lambda i: (
                    f"open {c.open[i]:g} or close {c.close[i]:g} lies outside "
                    f"low {c.low[i]:g} to high {c.high[i]:g}"
                ),
            ),
        ]


def _time(candles: Candles, index: int) -> str:
    try:
        return f"{from_milliseconds(int(candles.open_time[index])):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError):
        return str(int(candles.open_time[index]))


def _row(candles: Candles, index: int) -> str:
    return ", ".join(f"{column[index]:g}" for column in candles.columns()[1:])
