"""Pre-market breakout: trade the first close outside the range before the open.

The hours before a session set a high and a low. When the session has begun, the first close beyond
one of them is followed, unless the price has already run too far. Stop and target are fixed
percents; a price that comes back ends the trade as well, and so does the session's end.

Times live in the session's own zone, so that they move with its daylight saving time. If more than
a fifth of the bars before the open are missing, there is no range, and nothing is traded.
"""

from collections.abc import Sequence
from typing import Final, Literal, Self
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field, model_validator

from market.enums import InstrumentKind
from market.timeframes import HOUR_MS, Timeframe
from strategies import fields
from strategies.clocks import ClockTime, ZoneName
from strategies.indicators.sessions import (
    LONGEST_DAY_MS,
    Sessions,
    local_days,
    marks_of_day,
    minute_of,
    sessions_of,
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

    max_trades_per_day: int = fields.trades_per_session(1)
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
    timezone: ZoneName = fields.session_zone("America/New_York")
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
            "Which close ends a trade. Back inside the edge that it broke counts from the second bar "
            "after the entry on."
        ),
        json_schema_extra={
            "affects": "signal",
            "labels": {
                "REENTER": "Back inside the edge that it broke",
                "OPPOSITE": "Beyond the other edge",
                "OFF": "None",
            },
        },
    )
    session_end: ClockTime = Field(
        default="16:00",
        title="Session ends",
        description="Local time from which nothing is entered, written like 16:00.",
        json_schema_extra={"affects": "signal"},
    )
    flat_at_session_end: bool = fields.flat_at_session_end(True)
    weekdays_only: bool = fields.weekdays_only(True)
    tp_percent: float = fields.take_profit(1.0, least=0.05, most=50.0)
    sl_percent: float = fields.stop_loss(0.5, least=0.05)
    position_size_percent_capital: float = fields.position_size(10.0)

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


def _sessions(view: MarketView, params: Params) -> Sessions:
    """Return the sessions, with ranges only where they are known."""
    length = view.timeframe.milliseconds
    days = local_days(view.candles.open_time, ZoneInfo(params.timezone))
    start = days.at(minute_of(params.premarket_end))
    if params.lookback_bars:
        since = start - params.lookback_bars * length
    else:
        since = days.at(minute_of(params.premarket_start))
    expected = np.maximum((start - since) // length, 1)
    found = sessions_of(
        view.candles,
        days,
        length=length,
        start=start,
        end=days.at(minute_of(params.session_end)),
        since=since,
        ranged_at=start,
        # At least 80 % of the bars, rounded up.
        at_least=-(-4 * expected // 5),
        weekdays_only=params.weekdays_only,
    )
    return found._replace(
        high=np.where(found.has_begun, found.high, np.nan),
        low=np.where(found.has_begun, found.low, np.nan),
    )
