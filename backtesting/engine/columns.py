"""Bars and signals as the compiled functions take them: columns of one layout for all callers."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from market.candles import Candles
from strategies.signals import Signals

_NO_ENTRY_COLUMNS: Final = tuple(
    np.empty(0, dtype=kind)
    for kind in (np.int8, np.float64, np.int32, np.float64, np.float64, np.int64)
)


def or_empty(column: NDArray[Any] | None, dtype: Any) -> NDArray[Any]:
    """Return *column*, or one of length 0, so that one compiled function serves all callers."""
    if column is None:
        return np.empty(0, dtype=dtype)
    return np.ascontiguousarray(column, dtype=dtype)


def entry_columns(signals: Signals | None) -> tuple[NDArray[Any], ...]:
    """Return kind, price, validity, stop, target and session of the entries, in this order."""
    if signals is None:
        return _NO_ENTRY_COLUMNS
    return (
        or_empty(signals.entry_kind, np.int8),
        or_empty(signals.entry_price, np.float64),
        or_empty(signals.entry_bars, np.int32),
        or_empty(signals.stop_price, np.float64),
        or_empty(signals.target_price, np.float64),
        or_empty(signals.session, np.int64),
    )


def detail_columns(candles: Candles, detail: Candles | None) -> tuple[NDArray[Any], ...]:
    """Return where each bar's detail begins, with the end of the last, and the detail's columns."""
    if detail is None or not len(detail) or not len(candles):
        return (np.empty(0, dtype=np.int64), *bars_of(Candles.empty()))
    begins = np.searchsorted(detail.open_time, candles.open_time)
    # A gap in front of a bar is no part of the bar before it: detail ends where its own bar does.
    length = int(np.min(np.diff(candles.open_time))) if len(candles) > 1 else 0
    end = np.searchsorted(detail.open_time, candles.open_time[-1] + length)
    firsts = np.append(begins, end).astype(np.int64)
    return (firsts, *bars_of(detail))


def bars_of(candles: Candles) -> tuple[NDArray[Any], ...]:
    """Return open times, opens, highs, lows and closes."""
    return (candles.open_time, candles.open, candles.high, candles.low, candles.close)
