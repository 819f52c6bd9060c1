"""Opening-range breakout: follow a confirmed break of the range of a session's first bars.

The first bars of a session set a high and a low. Once the last of them is closed, a break of either
is followed: after three bars that confirm it, or at the first close beyond. Stop and target are
fixed percents, and the session's end closes what is open.

Sessions live in their own time zone, so that their hours move with its daylight saving time. A
session whose first bars are not all there has no range, and nothing is traded in it.
"""

from collections.abc import Sequence
from typing import Final, Literal, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from market.enums import InstrumentKind
from market.timeframes import HOUR_MS, Timeframe
from strategies import fields
from strategies.clocks import ClockTimeOrNone, ZoneName
from strategies.indicators.sessions import (
    END_OF_DAY,
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

SLUG: Final = "opening-range"
NAME: Final = "Opening-range breakout"
CATEGORY: Final = Category.BREAKOUT
RISK: Final = Risk.MEDIUM
TIMEFRAME: Final = Timeframe.M5
MARKET: Final = InstrumentKind.LINEAR_SWAP
SUMMARY: Final = (
    "Takes the range of a session's first bars and trades a confirmed break of it, with a fixed "
    "percent stop and target, out by the end of the session."
)
VERSION: Final = "1.0.0"


class Params(StrategyParams):
    """What a person may set."""

    max_trades_per_day: int = fields.trades_per_session(1)
    orb_hour: int = Field(
        default=9,
        ge=0,
        le=23,
        title="Session begins, hour",
        description="Hour at which the session begins, in its own time zone.",
        json_schema_extra={"unit": "h", "affects": "signal"},
    )
    orb_minute: int = Field(
        default=30,
        ge=0,
        le=59,
        title="Session begins, minute",
        description=(
            "Minute at which the session begins; a bar has to begin then. New York opens at 09:30, "
            "India at 09:15."
        ),
        json_schema_extra={"unit": "min", "affects": "signal"},
    )
    orb_timezone: ZoneName = fields.session_zone("America/New_York")
    lookback_bars_for_orb: int = Field(
        default=1,
        ge=1,
        le=10,
        title="Bars in the range",
        description="How many bars from the beginning of the session on make the range.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    confirm: Literal["THREE_BAR", "CLOSE_BREAK"] = Field(
        default="THREE_BAR",
        title="Confirmation",
        description="What has to be seen of a break before it is entered.",
        json_schema_extra={
            "affects": "signal",
            "labels": {
                "THREE_BAR": "A close beyond the range and two bars that go further",
                "CLOSE_BREAK": "The first close beyond the range",
            },
        },
    )
    session_end_time: ClockTimeOrNone = Field(
        default="16:00",
        title="Session ends",
        description=(
            "Local time from which nothing is entered, written like 16:00; “none” for midnight, "
            "and then nothing is closed at the end."
        ),
        json_schema_extra={"affects": "signal"},
    )
    flat_at_session_end: bool = fields.flat_at_session_end(True)
    weekdays_only: bool = fields.weekdays_only(False)
    tp_percent: float = fields.take_profit(1.0, least=0.05, most=50.0)
    sl_percent: float = fields.stop_loss(0.5, least=0.05)
    position_size_percent_capital: float = fields.position_size(10.0)

    @property
    def start_minute(self) -> int:
        """The minute of the local day at which the session begins."""
        return 60 * self.orb_hour + self.orb_minute

    @property
    def end_minute(self) -> int:
        """The minute of the local day at which it ends."""
        if self.session_end_time == "none":
            return END_OF_DAY
        return minute_of(self.session_end_time)

    @property
    def closes_at_end(self) -> bool:
        """Whether positions are closed when the session ends."""
        return self.flat_at_session_end and self.session_end_time != "none"

    @model_validator(mode="after")
    def _session_ends_after_it_begins(self) -> Self:
        if self.start_minute >= self.end_minute:
            raise inconsistent(
                "session_end_time",
                f"The session must end after it begins at {self.orb_hour:02}:{self.orb_minute:02}, "
                f"on the same day, not at {self.session_end_time}.",
            )
        return self


def requirements(params: Params) -> Requirements:
    """Return how much history comes before the first decision, and on which bars it works."""
    return Requirements(
        warm_up_bars=0,
        warm_up_ms=LONGEST_DAY_MS + HOUR_MS,
        longest_timeframe=Timeframe.H2,
        day_marks_ms=marks_of_day(ZoneInfo(params.orb_timezone), params.start_minute),
    )


def signals(view: MarketView, params: Params) -> Signals:
    """Return the breaks of each session's range: upwards long, downwards short."""
    candles = view.candles
    session = _sessions(view, params)
    long, short = _breaks(view, session, params)
    never = np.zeros(len(candles), dtype=np.bool_)
    return Signals(
        enter_long=long & session.is_on,
        enter_short=short & session.is_on,
        exit_long=never,
        exit_short=never,
        ready=np.ones(len(candles), dtype=np.bool_),
        flatten=~session.is_on | session.begins if params.closes_at_end else None,
        session=session.number,
    )


def rules(params: Params) -> Rules:
    """Return stop, target and size; both directions, as far as the market allows."""
    return Rules(
        stop_percent=params.sl_percent,
        target_percent=params.tp_percent,
        sizing=SizingMode.NOTIONAL,
        size=params.position_size_percent_capital,
        **params.common_rules(),
    )


def overlays(view: MarketView, params: Params) -> Sequence[Overlay]:
    """Return the range, from when it is known to the end of its session."""
    session = _sessions(view, params)
    known = session.is_on & (_closes(view) >= session.ranged_at)
    return (
        Overlay("Range high", np.where(known, session.high, np.nan)),
        Overlay("Range low", np.where(known, session.low, np.nan)),
    )


def _closes(view: MarketView) -> NDArray[np.int64]:
    return view.candles.open_time + view.timeframe.milliseconds


def _sessions(view: MarketView, params: Params) -> Sessions:
    length = view.timeframe.milliseconds
    days = local_days(view.candles.open_time, ZoneInfo(params.orb_timezone))
    start = days.at(params.start_minute)
    return sessions_of(
        view.candles,
        days,
        length=length,
        start=start,
        end=days.at(params.end_minute),
        since=start,
        ranged_at=start + params.lookback_bars_for_orb * length,
        # As many as there is room for: if one of them is missing, there is no range.
        at_least=params.lookback_bars_for_orb,
        weekdays_only=params.weekdays_only,
    )


def _breaks(
    view: MarketView, session: Sessions, params: Params
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell at which bars' closes the range has been broken upwards and downwards."""
    candles = view.candles
    confirming = 2 if params.confirm == "THREE_BAR" else 0
    # The bar in front of the break may be the last one of the range, and none before that.
    first = confirming + 1
    up, down = np.zeros((2, len(candles)), dtype=np.bool_)
    if len(candles) <= first:
        return up, down
    inside, outside = slice(None, -first), slice(1, len(candles) - confirming)
    high, low = session.high[first:], session.low[first:]
    in_time = _closes(view)[inside] >= session.ranged_at[first:]
    close = candles.close
    up[first:] = in_time & (close[inside] <= high) & (close[outside] > high)
    down[first:] = in_time & (close[inside] >= low) & (close[outside] < low)
    if confirming:
        up[2:] &= _goes_on(candles.high)
        down[2:] &= _goes_on(-candles.low)
    return up, down


def _goes_on(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell from the third bar on whether it and the one in front of it each went higher."""
    risen = values[1:] > values[:-1]
    return risen[1:] & risen[:-1]
