"""Pre-market breakout: trade the first close outside the range before the open.

The hours before a session set a high and a low. When the session has begun, the first close beyond
one of them is followed, unless the price has already run too far. Stop and target are fixed
percents; a price that comes back ends the trade as well, and so does the session's end.

Times live in the session's own zone, so that they move with its daylight saving time. If more than
a fifth of the bars before the open are missing, there is no range, and nothing is traded.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from market.enums import InstrumentKind
from market.timeframes import HOUR_MS, Timeframe
from strategies.clocks import ClockTime, ZoneName
from strategies.indicators.sessions import (
    LONGEST_DAY_MS,
    local_days,
    marks_of_day,
    minute_of,
    ranges,
)
from strategies.rules import Rules, SizingMode
from strategies.shapes import Category, Overlay, Requirements, Risk, StrategyParams, inconsistent
from strategies.signals import Signals
from strategies.views import MarketView

SLUG: Final = "premarket-breakout"
NAME: Final = "Pre-market breakout"
CATEGORY: Final = Category.BREAKOUT
RISK: Final = Risk.HIGH
TIMEFRAME: Final = Timeframe.M5
MARKET: Final = InstrumentKind.LINEAR_SWAP
SUMMARY: Final = (
    "Trades the first close outside the range before the open, provided the price has not already "
    "run too far; out when it comes back and by the end of the session."
)
VERSION: Final = "1.0.0"


class Params(StrategyParams):
    """What a person may set."""

    max_trades_per_day: int = Field(
        default=1,
        ge=0,
        le=1_000,
        title="Trades per session",
        description="Most entries in a session; 0 for any number.",
        json_schema_extra={"affects": "rules"},
    )
    cooldown_bars: int = Field(
        default=1,
        ge=0,
        le=10_000,
        title="Cooldown",
        description="How long after an exit nothing is entered.",
        json_schema_extra={"unit": "bars", "affects": "rules"},
    )
    premarket_start: ClockTime = Field(
        default="07:30",
        title="Pre-market begins",
        description="Local time from which bars make the range, written like 07:30.",
        json_schema_extra={"affects": "signal"},
    )
    premarket_end: ClockTime = Field(
        default="09:30",
        title="Session begins",
        description=(
            "Local time at which the range is complete and trading begins, written like 09:30; a bar "
            "has to begin then."
        ),
        json_schema_extra={"affects": "signal"},
    )
    timezone: ZoneName = Field(
        default="America/New_York",
        title="Time zone",
        description=(
            "Zone of the session's times: any of the IANA database, such as UTC, America/New_York, "
            "Europe/London, Europe/Berlin, Asia/Kolkata or Asia/Tokyo."
        ),
        json_schema_extra={"affects": "signal"},
    )
    lookback_bars: int = Field(
        default=0,
        ge=0,
        le=120,
        title="Bars in the range",
        description="So many bars before the session make the range instead; 0 goes by the time.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    premarket_max_deviation_percent: float = Field(
        default=0.5,
        ge=0.01,
        le=5.0,
        title="Greatest distance",
        description="A close that is further beyond the range than this is not followed.",
        json_schema_extra={"unit": "% of the range's edge", "affects": "signal", "step": 0.01},
    )
    range_exit: Literal["REENTER", "OPPOSITE", "OFF"] = Field(
        default="REENTER",
        title="Exit at the range",
        description=(
            "REENTER closes a trade when the price closes back inside the edge that it broke, from "
            "the second bar after the entry on; OPPOSITE when it closes beyond the other edge."
        ),
        json_schema_extra={"affects": "signal"},
    )
    session_end: ClockTime = Field(
        default="16:00",
        title="Session ends",
        description="Local time from which nothing is entered, written like 16:00.",
        json_schema_extra={"affects": "signal"},
    )
    flat_at_session_end: bool = Field(
        default=True,
        title="Flat at the end",
        description="Whether a position is closed when the session ends.",
        json_schema_extra={"affects": "signal"},
    )
    weekdays_only: bool = Field(
        default=True,
        title="Weekdays only",
        description="Whether there are sessions from Monday to Friday only.",
        json_schema_extra={"affects": "signal"},
    )
    tp_percent: float = Field(
        default=1.0,
        ge=0.05,
        le=50.0,
        title="Take profit",
        description="Distance of the target from the entry price.",
        json_schema_extra={"unit": "% from entry", "affects": "rules", "step": 0.05},
    )
    sl_percent: float = Field(
        default=0.5,
        ge=0.05,
        le=50.0,
        title="Stop loss",
        description="Distance of the stop from the entry price.",
        json_schema_extra={"unit": "% from entry", "affects": "rules", "step": 0.05},
    )
    position_size_percent_capital: float = Field(
        default=10.0,
        ge=0.1,
        le=100.0,
        title="Position size",
        description="Worth of a position at its entry.",
        json_schema_extra={"unit": "% of capital", "affects": "rules", "step": 0.1},
    )

    @model_validator(mode="after")
    def _times_are_in_order(self) -> Self:
        opens = minute_of(self.premarket_end)
        if minute_of(self.premarket_start) >= opens:
            raise inconsistent(
                "premarket_start",
                f"The pre-market must begin before the session does at {self.premarket_end}, "
                f"not at {self.premarket_start}.",
            )
        if minute_of(self.session_end) <= opens:
            raise inconsistent(
                "session_end",
                f"The session must end after it begins at {self.premarket_end}, on the same day, "
                f"not at {self.session_end}.",
            )
        return self


class _Session(NamedTuple):
    """The session of the local day that each bar opens on; all of shape ``(n,)``.

    ``high`` and ``low`` are NaN until the range is known, and where there is none.
    """

    number: NDArray[np.int64]
    is_on: NDArray[np.bool_]
    begins: NDArray[np.bool_]
    high: NDArray[np.float64]
    low: NDArray[np.float64]


def requirements(params: Params) -> Requirements:
    """Return how much history comes before the first decision, and on which bars it works."""
    longest = Timeframe.H1
    return Requirements(
        warm_up_bars=0,
        warm_up_ms=LONGEST_DAY_MS + HOUR_MS + params.lookback_bars * longest.milliseconds,
        longest_timeframe=longest,
        day_marks_ms=marks_of_day(ZoneInfo(params.timezone), minute_of(params.premarket_end)),
    )


def signals(view: MarketView, params: Params) -> Signals:
    """Return the first closes outside each range that have not gone too far, and the way back."""
    candles = view.candles
    session = _sessions(view, params)
    far = params.premarket_max_deviation_percent / 100
    close, before = candles.close, np.append(np.nan, candles.close[:-1])[: len(candles)]
    up = (close > session.high) & (before <= session.high) & (close <= session.high * (1 + far))
    down = (close < session.low) & (before >= session.low) & (close >= session.low * (1 - far))
    never = np.zeros(len(candles), dtype=np.bool_)
    exits = {
        "REENTER": (close < session.high, close > session.low),
        "OPPOSITE": (close < session.low, close > session.high),
        "OFF": (never, never),
    }
    exit_long, exit_short = exits[params.range_exit]
    return Signals(
        enter_long=up & session.is_on,
        enter_short=down & session.is_on,
        exit_long=exit_long,
        exit_short=exit_short,
        ready=np.ones(len(candles), dtype=np.bool_),
        flatten=~session.is_on | session.begins if params.flat_at_session_end else None,
        session=session.number,
    )


def rules(params: Params) -> Rules:
    """Return stop, target and size; both directions, as far as the market allows."""
    return Rules(
        stop_percent=params.sl_percent,
        target_percent=params.tp_percent,
        sizing=SizingMode.NOTIONAL,
        size=params.position_size_percent_capital,
        exit_after_bars=2 if params.range_exit == "REENTER" else 0,
        **params.common_rules(),
    )


def overlays(view: MarketView, params: Params) -> Sequence[Overlay]:
    """Return the range, and how far beyond it is still followed, while the session is on."""
    session = _sessions(view, params)
    far = params.premarket_max_deviation_percent / 100
    high = np.where(session.is_on, session.high, np.nan)
    low = np.where(session.is_on, session.low, np.nan)
    return (
        Overlay("Pre-market high", high),
        Overlay("Pre-market low", low),
        Overlay("Highest entry", high * (1 + far)),
        Overlay("Lowest entry", low * (1 - far)),
    )


def _sessions(view: MarketView, params: Params) -> _Session:
    candles, length = view.candles, view.timeframe.milliseconds
    closes = candles.open_time + length
    days = local_days(candles.open_time, ZoneInfo(params.timezone))
    start, end = days.at(minute_of(params.premarket_end)), days.at(minute_of(params.session_end))
    if params.lookback_bars:
        since = start - params.lookback_bars * length
    else:
        since = days.at(minute_of(params.premarket_start))
    expected = np.maximum((start - since) // length, 1)
    found = ranges(
        candles.high,
        candles.low,
        first=np.searchsorted(closes, since, side="right"),
        stop=np.searchsorted(closes, start, side="right"),
        # At least 80 % of the bars, rounded up.
        at_least=-(-4 * expected // 5),
    )
    held = days.are_weekdays() | (not params.weekdays_only)
    of_bar = days.of_bar
    is_known = held[of_bar] & (closes > start[of_bar])
    return _Session(
        number=days.number_of_bar(),
        # What is decided at the session's end would be filled after it.
        is_on=is_known & (closes < end[of_bar]),
        begins=days.begin(),
        high=np.where(is_known, found.high[of_bar], np.nan),
        low=np.where(is_known, found.low[of_bar], np.nan),
    )
