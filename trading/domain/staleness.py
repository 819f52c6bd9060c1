"""When a closed bar is too old to enter on."""

from datetime import datetime, timedelta

from market.timeframes import Timeframe


def entry_horizon_s(timeframe: Timeframe, *, stale_s: float, cap_s: float) -> float:
    """Return for how many seconds after its close a bar may be entered on.

    At least *stale_s*; a bar's own length, but no more than *cap_s*, if that is longer.
    """
    return max(stale_s, min(timeframe.milliseconds / 1_000, cap_s))


def is_stale(
    bar_close_at: datetime, timeframe: Timeframe, *, now: datetime, stale_s: float, cap_s: float
) -> bool:
    """Tell whether *now* is too late for an entry that was decided at *bar_close_at*."""
    horizon = entry_horizon_s(timeframe, stale_s=stale_s, cap_s=cap_s)
    return now - bar_close_at > timedelta(seconds=horizon)
