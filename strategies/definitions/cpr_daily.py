"""Central pivot range: buy one small pullback a day where the day opens well away from the range.

Once in a UTC day, when it opens far enough from the bottom of yesterday's central pivot range, with
daily closes oversold and the first support at a moderate distance, one order waits for a small
move: a limit order below the open, or a stop order above it. The profit that it takes is small; it
leaves at the bottom of the range, and at the end of the day in any case.

The price of the order follows from the day's open, which a bar tells only when it closes. So the
order is placed when the entry window begins, but never before the day's first bar is closed, and it
waits on every bar that begins inside the window, at least on one. All that it depends on is known
by then.

With its defaults it hardly ever trades: a daily RSI of at most 25 is rare, and few of those days
have their first support within the narrow band. Widen one of the two to see it work.

The mirrored short, if it is asked for, is the same upside down: the top of the range in place of its
bottom, the first resistance in place of the first support, overbought in place of oversold. A day
that qualifies both ways is left out.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from market.candles import Candles
from market.timeframes import DAY_MS, Timeframe
from strategies import fields
from strategies.clocks import ClockTime
from strategies.indicators.oscillators import rsi
from strategies.indicators.pivots import Pivots, central_pivot_range
from strategies.indicators.sessions import day_is_over, entry_window, minute_of
from strategies.rules import Rules, SizingMode
from strategies.shapes import Category, Overlay, Requirements, Risk, StrategyParams, inconsistent
from strategies.signals import ENTER_AT_LIMIT, ENTER_AT_STOP, Signals
from strategies.views import MarketView

SLUG: Final = "cpr-daily"
NAME: Final = "Central pivot range, daily"
CATEGORY: Final = Category.MEAN_REVERSION
RISK: Final = Risk.MEDIUM
TIMEFRAME: Final = Timeframe.M15
SUMMARY: Final = (
    "Buys one small pullback a day when the day opens away from yesterday's central pivot range "
    "and daily closes are oversold. With its defaults it trades very rarely."
)
VERSION: Final = "1.1.0"

_LONG: Final = 1
_SHORT: Final = -1
#: Enough for the first values of the daily RSI to be forgotten, and for whole months.
_WARM_UP_MS: Final = 150 * DAY_MS


class Params(StrategyParams):
    """What a person may set."""

    leverage: int = fields.leverage(3)
    max_trades_per_day: int = Field(
        default=1,
        ge=0,
        le=1,
        title="Trades per day",
        description="It places one order a UTC day; 0 sets no limit of its own.",
        json_schema_extra={"affects": "rules"},
    )
    risk_percent: float = fields.risk_per_trade(1.0, most=5.0)
    # The reduced target replaces it where it would lie beyond the pivot.
    take_profit_percent: float = fields.take_profit(0.8, most=50.0, affects="signal")
    sl_percent_from_entry: float = fields.stop_loss(3.5)
    distance_condition_type: Literal["ABOVE", "BELOW"] = Field(
        default="ABOVE",
        title="Open lies",
        description=(
            "On which side of the bottom of the range (BC) the day has to open. Above it a fall by "
            "the pullback is bought with a limit order; below it a rise by it with a stop order, and "
            "the position is left at BC only once a bar has closed above it."
        ),
        json_schema_extra={
            "affects": "signal",
            "labels": {"ABOVE": "Above the range", "BELOW": "Below the range"},
        },
    )
    distance_threshold_percent: float = Field(
        default=0.24,
        ge=0.01,
        le=20.0,
        title="Least distance of the open",
        description="How far from BC the day has to open.",
        json_schema_extra={"unit": "% of BC", "affects": "signal", "step": 0.01},
    )
    pullback_percent_for_entry: float = Field(
        default=0.2,
        ge=0.0,
        le=10.0,
        title="Pullback",
        description=(
            "How far from the day's open the order waits. A pullback that is longer than the "
            "distance of the open may buy below BC, where the position is closed at once."
        ),
        json_schema_extra={"unit": "% of open", "affects": "signal", "step": 0.01},
    )
    band_mode: Literal["REQUIRE", "SKIP", "OFF"] = Field(
        default="REQUIRE",
        title="Band of the first support",
        description="Where the distance of the first support (S1) from BC has to lie.",
        json_schema_extra={
            "affects": "signal",
            "labels": {"REQUIRE": "In the band", "SKIP": "Out of the band", "OFF": "Anywhere"},
        },
    )
    s1_bc_dist_thresh_low_percent: float = Field(
        default=2.2,
        ge=0.1,
        le=50.0,
        title="Band from",
        description="Least distance of S1 from BC inside the band.",
        json_schema_extra={"unit": "% of BC", "affects": "signal", "step": 0.1},
    )
    s1_bc_dist_thresh_high_percent: float = Field(
        default=2.85,
        ge=0.1,
        le=50.0,
        title="Band to",
        description=(
            "Greatest distance of S1 from BC inside the band. The band of the defaults is only 0.65 "
            "points wide, so together with the RSI days that qualify are extremely rare."
        ),
        json_schema_extra={"unit": "% of BC", "affects": "signal", "step": 0.01},
    )
    max_volatility_threshold_percent: float = Field(
        default=3.48,
        ge=0.1,
        le=50.0,
        title="Greatest volatility",
        description="Days whose S1 lies further from BC than this are left out, whatever the band.",
        json_schema_extra={"unit": "% of BC", "affects": "signal", "step": 0.01},
    )
    rsi_threshold_entry: float = Field(
        default=25.0,
        ge=0.0,
        le=100.0,
        title="Highest daily RSI",
        description="The RSI of daily closes up to yesterday may be at most this; 100 ignores it.",
        json_schema_extra={"affects": "signal", "step": 1},
    )
    daily_rsi_period: int = Field(
        default=14,
        ge=5,
        le=50,
        title="Period of the daily RSI",
        description="Days that the RSI averages over.",
        json_schema_extra={"unit": "days", "affects": "signal"},
    )
    use_monthly_cpr_filter_entry: bool = Field(
        default=True,
        title="Stay out of the monthly range",
        description="No entry when the day opens inside the pivot range of last month.",
        json_schema_extra={"affects": "signal"},
    )
    use_prev_day_cpr_tp_filter: bool = Field(
        default=True,
        title="Reduce targets beyond the pivot",
        description=(
            "Where the order waits below yesterday's pivot and the full target would lie above it, "
            "the reduced target is used."
        ),
        json_schema_extra={"affects": "signal"},
    )
    reduced_tp_percent_if_filter: float = Field(
        default=0.2,
        ge=0.05,
        le=50.0,
        title="Reduced target",
        description="Distance of the reduced target from the price of the order.",
        json_schema_extra={"unit": "% from entry", "affects": "signal", "step": 0.01},
    )
    entry_window_start: ClockTime = Field(
        default="00:00",
        title="Entry window from",
        description=(
            "UTC time from which the order waits, written like 00:00. It is placed at the close of "
            "the day's first bar at the earliest: before that the day's open is not known."
        ),
        json_schema_extra={"unit": "UTC", "affects": "signal"},
    )
    entry_window_minutes: int = Field(
        default=10,
        ge=1,
        le=120,
        title="Length of the entry window",
        description=(
            "The order waits on bars that begin inside the window, and on one bar at least; then it "
            "is canceled."
        ),
        json_schema_extra={"unit": "minutes", "affects": "signal"},
    )
    eod_close: ClockTime = Field(
        default="23:55",
        title="End of day",
        description=(
            "UTC time at which a position is closed: at the close of the bar that holds this "
            "instant. Written like 23:55."
        ),
        json_schema_extra={"unit": "UTC", "affects": "signal"},
    )

    mirrored_short: bool = Field(
        default=False,
        title="Mirrored short",
        description=(
            "Whether the mirror image is sold short: the top of the range (TC) for its bottom, the "
            "first resistance for the first support, an RSI of at least 100 less the highest one. "
            "Where nothing can be sold short it changes nothing but days that qualify both ways, "
            "which are left out."
        ),
        json_schema_extra={"affects": "signal"},
    )

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.direction == "SHORT" and not self.mirrored_short:
            raise inconsistent("direction", "It only buys without the mirrored short.")
        if self.s1_bc_dist_thresh_low_percent > self.s1_bc_dist_thresh_high_percent:
            raise inconsistent(
                "s1_bc_dist_thresh_low_percent",
                f"The band begins at {self.s1_bc_dist_thresh_low_percent:g} %, above its end at "
                f"{self.s1_bc_dist_thresh_high_percent:g} %.",
            )
        if minute_of(self.entry_window_start) >= minute_of(self.eod_close):
            raise inconsistent(
                "entry_window_start",
                f"The entry window ({self.entry_window_start}) must begin before the end of day "
                f"({self.eod_close}).",
            )
        return self


class _Day(NamedTuple):
    """What is known of each bar's day when it opens, and its open; all of shape ``(n,)``."""

    first: NDArray[np.bool_]
    open: NDArray[np.float64]
    pivot: NDArray[np.float64]
    bottom: NDArray[np.float64]
    top: NDArray[np.float64]
    support: NDArray[np.float64]
    resistance: NDArray[np.float64]
    rsi: NDArray[np.float64]
    month_top: NDArray[np.float64]
    month_bottom: NDArray[np.float64]


def requirements(params: Params) -> Requirements:
    """Return how much history comes before the first decision, and on which bars it works."""
    return Requirements(
        warm_up_bars=0,
        warm_up_ms=_WARM_UP_MS,
        timeframes=(Timeframe.D1, Timeframe.W1, Timeframe.MO1),
        longest_timeframe=Timeframe.H1,
        shortest_timeframe=Timeframe.M1,
        rests_entries=True,
    )


def signals(view: MarketView, params: Params) -> Signals:
    """Return the one order of each day that qualifies, exits at the range and the ends of days."""
    candles, length = view.candles, view.timeframe.milliseconds
    day = _days(view, params)
    # When in its day a bar closes: more than 0, and a whole day for its last one.
    closes_at = candles.open_time % DAY_MS + length
    flatten = day_is_over(closes_at, day.first, minute_of(params.eod_close))
    window = entry_window(
        closes_at,
        day.first,
        length=length,
        begin=minute_of(params.entry_window_start),
        minutes=params.entry_window_minutes,
    )
    below = params.distance_condition_type == "BELOW"
    known = ~(np.isnan(day.bottom) | np.isnan(day.rsi))
    if params.use_monthly_cpr_filter_entry:
        known &= ~np.isnan(day.month_bottom)
    placed = window.places & known & ~flatten
    buys, sells = _qualifies(day, params, _LONG), _qualifies(day, params, _SHORT)
    sells &= params.mirrored_short
    enters = placed & (buys ^ sells)
    way = np.where(sells, _SHORT, _LONG)
    price = day.open * (1 + (way if below else -way) * params.pullback_percent_for_entry / 100)
    armed = np.where(sells, candles.close < day.top, candles.close > day.bottom)
    return Signals(
        enter_long=enters & buys,
        enter_short=enters & sells,
        exit_long=candles.close <= day.bottom,
        exit_short=(candles.close >= day.top) & params.mirrored_short,
        ready=known,
        flatten=flatten,
        arm_exit=armed if below else None,
        entry_kind=np.full(len(candles), ENTER_AT_STOP if below else ENTER_AT_LIMIT, dtype=np.int8),
        entry_price=np.where(enters, price, np.nan),
        entry_bars=np.where(enters, window.bars, 0).astype(np.int32),
        target_price=_reduced_targets(price, day.pivot, way, enters, params),
    )


def rules(params: Params) -> Rules:
    """Return stop, target and size; below the range the exit at it has to be armed first."""
    return Rules(
        stop_percent=params.sl_percent_from_entry,
        target_percent=params.take_profit_percent,
        sizing=SizingMode.RISK,
        size=params.risk_percent,
        exit_needs_arming=params.distance_condition_type == "BELOW",
        **params.common_rules(),
    )


def overlays(view: MarketView, params: Params) -> Sequence[Overlay]:
    """Return yesterday's levels, and the ranges of the last whole week and month."""
    daily, weekly, monthly = (view.higher(each) for each in ("1d", "1w", "1M"))
    week, month = _pivots_of(weekly.candles), _pivots_of(monthly.candles)
    levels = _pivots_of(daily.candles)
    names = ("Pivot", "TC", "BC", "R1", "R2", "R3", "R4", "S1", "S2", "S3", "S4")
    return (
        *(Overlay(name, daily.at_open(each)) for name, each in zip(names, levels, strict=True)),
        Overlay("Weekly TC", weekly.at_open(week.top)),
        Overlay("Weekly BC", weekly.at_open(week.bottom)),
        Overlay("Monthly TC", monthly.at_open(month.top)),
        Overlay("Monthly BC", monthly.at_open(month.bottom)),
    )


def _days(view: MarketView, params: Params) -> _Day:
    candles = view.candles
    number = candles.open_time // DAY_MS
    first = np.ones(len(candles), dtype=np.bool_)
    first[1:] = number[1:] != number[:-1]
    daily, monthly = view.higher("1d"), view.higher("1M")
    levels, month = _pivots_of(daily.candles), _pivots_of(monthly.candles)
    strength = rsi(daily.candles.close, params.daily_rsi_period)
    return _Day(
        first=first,
        open=candles.open[np.flatnonzero(first)[np.cumsum(first) - 1]],
        pivot=daily.at_open(levels.pivot),
        bottom=daily.at_open(levels.bottom),
        top=daily.at_open(levels.top),
        support=daily.at_open(levels.s1),
        resistance=daily.at_open(levels.r1),
        rsi=daily.at_open(strength),
        month_top=monthly.at_open(month.top),
        month_bottom=monthly.at_open(month.bottom),
    )


def _pivots_of(candles: Candles) -> Pivots:
    return central_pivot_range(candles.high, candles.low, candles.close)


def _qualifies(day: _Day, params: Params, way: int) -> NDArray[np.bool_]:
    """Tell on which bars' days an order of one *way* is placed at all; shorts mirror longs."""
    is_long = way == _LONG
    edge, outer = (day.bottom, day.support) if is_long else (day.top, day.resistance)
    beyond = way * (day.open - edge) / edge * 100
    if params.distance_condition_type == "BELOW":
        beyond = -beyond
    spread = np.abs(outer - edge) / edge * 100
    in_band = (spread >= params.s1_bc_dist_thresh_low_percent) & (
        spread <= params.s1_bc_dist_thresh_high_percent
    )
    fits = beyond >= params.distance_threshold_percent
    fits &= spread <= params.max_volatility_threshold_percent
    fits &= (day.rsi if is_long else 100 - day.rsi) <= params.rsi_threshold_entry
    if params.band_mode != "OFF":
        fits &= in_band if params.band_mode == "REQUIRE" else ~in_band
    if params.use_monthly_cpr_filter_entry:
        fits &= ~((day.open >= day.month_bottom) & (day.open <= day.month_top))
    return fits


def _reduced_targets(
    price: NDArray[np.float64],
    pivot: NDArray[np.float64],
    way: NDArray[np.int64],
    enters: NDArray[np.bool_],
    params: Params,
) -> NDArray[np.float64] | None:
    """Return targets for orders in front of the pivot whose full target lies beyond it, else NaN.

    They follow from the order's own price: what it fills at is not known before it does.
    """
    if not params.use_prev_day_cpr_tp_filter:
        return None
    full = price * (1 + way * params.take_profit_percent / 100)
    beyond = (way * (pivot - price) > 0) & (way * (full - pivot) > 0)
    reduced = price * (1 + way * params.reduced_tp_percent_if_filter / 100)
    return np.where(enters & beyond, reduced, np.nan)
