"""When a run of bad luck, or too much at risk, forbids opening anything: arithmetic, without rows.

The guards are those that freqtrade made customary (StoplossGuard, MaxDrawdown, LowProfitPairs,
CooldownPeriod); here losses and drawdowns count open positions as well, and nothing is ever closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from strategies.reasons import ReasonCode

#: How long a guard keeps away from the market if nothing else is set.
DEFAULT_PAUSE: Final = timedelta(minutes=60)
DEFAULT_WINDOW: Final = timedelta(days=1)

#: Exits before this are forgotten by every guard.
LONGEST_MEMORY: Final = timedelta(days=7)

_HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What somebody has set for a deployment, an account or a person; None is no limit.

    Percentages are of the capital at work in the same settle currency.
    """

    max_daily_loss_percent: Decimal | None = None
    max_drawdown_percent: Decimal | None = None
    stop_guard_stops: int | None = None
    stop_guard_window_minutes: int | None = None
    losing_streak_trades: int | None = None
    low_profit_trades: int | None = None
    low_profit_percent: Decimal | None = None
    low_profit_window_minutes: int | None = None
    pause_minutes: int | None = None
    exit_cooldown_minutes: int | None = None
    max_exposure_percent: Decimal | None = None
    max_open_positions: int | None = None
    max_open_orders: int | None = None
    price_band_percent: Decimal | None = None
    max_spread_bps: Decimal | None = None
    stale_after_seconds: int | None = None
    max_clock_skew_ms: int | None = None

    @property
    def pause(self) -> timedelta:
        """How long a guard keeps away from the market."""
        return _minutes(self.pause_minutes, DEFAULT_PAUSE)


@dataclass(frozen=True, slots=True)
class Exit:
    """A position, or a part of one, that was closed: when, with which net result, by its stop or not."""

    at: datetime
    result: Decimal
    is_stop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How somebody stands in one settle currency.

    ``pnl``, ``day_pnl`` and ``peak_pnl`` are net results, open positions included: now, at the start
    of the UTC day and at their best. ``exits`` come oldest first; ``exits_here`` are those of the
    market in question. ``exposure`` is the notional of what is open.
    """

    capital: Decimal
    pnl: Decimal
    day_pnl: Decimal
    peak_pnl: Decimal
    exposure: Decimal = Decimal(0)
    open_positions: int = 0
    open_orders: int = 0
    exits: Sequence[Exit] = ()
    exits_here: Sequence[Exit] = ()


def daily_loss_percent(standing: Standing) -> Decimal:
    """Return what the day has lost so far, in percent of the equity at its start; 0 without a loss."""
    return _fall(standing.day_pnl, standing)


def drawdown_percent(standing: Standing) -> Decimal:
    """Return the fall from the best equity so far, in percent of it; 0 at the best."""
    return _fall(standing.peak_pnl, standing)


def refusal(
    limits: Limits, standing: Standing, *, now: datetime, holds_here: bool = False
) -> ReasonCode | None:
    """Return why nothing may be opened now, None if something may.

    Who ``holds_here`` adds to an open position and opens no further one.
    """
    if _reaches(daily_loss_percent(standing), limits.max_daily_loss_percent):
        return ReasonCode.DAILY_LOSS_LIMIT
    if _reaches(drawdown_percent(standing), limits.max_drawdown_percent):
        return ReasonCode.DRAWDOWN_LIMIT
    if _is_stopped_often(limits, standing, now):
        return ReasonCode.STOP_GUARD
    if _is_losing(limits, standing, now):
        return ReasonCode.LOSING_STREAK
    if _earns_too_little(limits, standing, now):
        return ReasonCode.LOW_PROFIT
    if _has_just_left(limits, standing, now):
        return ReasonCode.EXIT_COOLDOWN
    return room_refusal(limits, standing, notional=Decimal(0), holds_here=holds_here)


def room_refusal(
    limits: Limits, standing: Standing, *, notional: Decimal, holds_here: bool
) -> ReasonCode | None:
    """Return why there is no room for a further entry worth *notional*, None if there is.

    With a notional of 0 the question is whether there is any room left.
    """
    if not holds_here and _is_full(standing.open_positions, limits.max_open_positions):
        return ReasonCode.OPEN_POSITIONS_LIMIT
    if _is_full(standing.open_orders, limits.max_open_orders):
        return ReasonCode.OPEN_ORDERS_LIMIT
    if limits.max_exposure_percent is not None:
        most = standing.capital * limits.max_exposure_percent / _HUNDRED
        after = standing.exposure + notional
        if after > most or (notional == 0 and after == most):
            return ReasonCode.EXPOSURE_LIMIT
    return None


def is_outside_band(price: Decimal, *, last: Decimal, band_percent: Decimal) -> bool:
    """Tell whether *price* is further from the *last* one than a slip of the finger may take it."""
    return abs(price - last) * _HUNDRED > last * band_percent


def spread_bps(*, bid: Decimal, ask: Decimal) -> Decimal:
    """Return the distance of both sides of the book, in basis points of their middle."""
    return (ask - bid) * 20_000 / (ask + bid)


def _fall(since: Decimal, standing: Standing) -> Decimal:
    fall = since - standing.pnl
    if fall <= 0:
        return Decimal(0)
    equity = standing.capital + since
    # Who has nothing left has lost everything.
    return _HUNDRED if equity <= fall else fall * _HUNDRED / equity


def _is_full(count: int, most: int | None) -> bool:
    return most is not None and count >= most


def _reaches(value: Decimal, limit: Decimal | None) -> bool:
    return limit is not None and value >= limit


def _is_stopped_often(limits: Limits, standing: Standing, now: datetime) -> bool:
    if limits.stop_guard_stops is None:
        return False
    stops = [each for each in standing.exits if each.is_stop][-limits.stop_guard_stops :]
    if len(stops) < limits.stop_guard_stops:
        return False
    window = _minutes(limits.stop_guard_window_minutes, DEFAULT_WINDOW)
    return stops[-1].at - stops[0].at <= window and now < stops[-1].at + limits.pause


def _is_losing(limits: Limits, standing: Standing, now: datetime) -> bool:
    if limits.losing_streak_trades is None:
        return False
    last = standing.exits[-limits.losing_streak_trades :]
    if len(last) < limits.losing_streak_trades or any(each.result >= 0 for each in last):
        return False
    return now < last[-1].at + limits.pause


def _earns_too_little(limits: Limits, standing: Standing, now: datetime) -> bool:
    if limits.low_profit_trades is None or not standing.exits_here:
        return False
    window = _minutes(limits.low_profit_window_minutes, DEFAULT_WINDOW)
    newest = standing.exits_here[-1].at
    counted = [each for each in standing.exits_here if newest - each.at <= window]
    if len(counted) < limits.low_profit_trades:
        return False
    wanted = standing.capital * (limits.low_profit_percent or Decimal(0)) / _HUNDRED
    earned = sum((each.result for each in counted), Decimal(0))
    return earned < wanted and now < newest + limits.pause


def _has_just_left(limits: Limits, standing: Standing, now: datetime) -> bool:
    if limits.exit_cooldown_minutes is None or not standing.exits_here:
        return False
    return now < standing.exits_here[-1].at + timedelta(minutes=limits.exit_cooldown_minutes)


def _minutes(value: int | None, default: timedelta) -> timedelta:
    return default if value is None else timedelta(minutes=value)
