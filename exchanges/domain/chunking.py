"""Which chunk a candle belongs to: a UTC day below 1m, a month for 1m to 30m, a year from 1h on."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

import numpy as np

from market.candles import Candles
from market.timeframes import HOUR_MS, MINUTE_MS, Timeframe, from_milliseconds, to_milliseconds


class Period(StrEnum):
    """The stretch of time that one chunk covers; the value is numpy's unit of it."""

    DAY = "D"
    MONTH = "M"
    YEAR = "Y"


def period_of(timeframe: Timeframe) -> Period:
    """Return the stretch that a chunk of *timeframe* covers."""
    if timeframe.milliseconds < MINUTE_MS:
        return Period.DAY
    return Period.MONTH if timeframe.milliseconds < HOUR_MS else Period.YEAR


def bounds_of(timeframe: Timeframe, open_ms: int) -> tuple[int, int]:
    """Return the ``[from, to)`` of the chunk that holds the bar which opens at *open_ms*."""
    period = period_of(timeframe)
    first = from_milliseconds(open_ms).replace(hour=0, minute=0, second=0, microsecond=0)
    if period is Period.YEAR:
        first = first.replace(month=1, day=1)
        return to_milliseconds(first), to_milliseconds(first.replace(year=first.year + 1))
    if period is Period.MONTH:
        first = first.replace(day=1)
        return to_milliseconds(first), to_milliseconds(_next_month(first))
    start = to_milliseconds(first)
    return start, start + 24 * HOUR_MS


def split_by_chunk(
    timeframe: Timeframe, candles: Candles
) -> Iterator[tuple[tuple[int, int], Candles]]:
    """Yield the bounds of each chunk that *candles* touch together with its bars, oldest first."""
    if not len(candles):
        return
    unit = period_of(timeframe)
    periods = candles.open_time.astype("datetime64[ms]").astype(f"datetime64[{unit}]")
    edges = [0, *(np.flatnonzero(periods[1:] != periods[:-1]) + 1).tolist(), len(candles)]
    for start, stop in pairwise(edges):
        yield bounds_of(timeframe, int(candles.open_time[start])), candles.slice(start, stop)


def _next_month(first: datetime) -> datetime:
    if first.month == 12:
        return first.replace(year=first.year + 1, month=1)
    return first.replace(month=first.month + 1)
