"""MACD on two timeframes: enter on a cross that the longer trend agrees with."""

from collections.abc import Sequence
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from market.enums import InstrumentKind
from market.timeframes import Timeframe
from strategies import fields
from strategies.indicators.crossings import cross_down, cross_up
from strategies.indicators.forecast import Forecast, trend_forecast
from strategies.indicators.oscillators import macd
from strategies.rules import Rules, SizingMode
from strategies.shapes import Category, Overlay, Requirements, Risk, StrategyParams, inconsistent
from strategies.signals import Signals
from strategies.views import MarketView

SLUG: Final = "macd-mtf-forecast"
NAME: Final = "MACD multi-timeframe + forecast"
CATEGORY: Final = Category.TREND_FOLLOWING
RISK: Final = Risk.MEDIUM
TIMEFRAME: Final = Timeframe.M15
MARKET: Final = InstrumentKind.LINEAR_SWAP
SUMMARY: Final = (
    "Enters on a MACD cross that agrees with the MACD of a higher timeframe, "
    "and draws how earlier trends went on."
)
VERSION: Final = "1.0.0"

#: History in front of the first decision, in multiples of the slow period, on both timeframes.
_WARM_UP_PERIODS: Final = 5
#: Higher bars beyond what its MACD needs formally.
_HIGHER_BARS: Final = 50
#: Which line of the forecast is the middle one.
_MIDDLE: Final = 1


class Params(StrategyParams):
    """What a person may set."""

    htf: Literal["5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w"] = Field(
        default="4h",
        title="Higher timeframe",
        description="Bars of the longer trend; they must be longer than those that are traded.",
        json_schema_extra={"affects": "signal"},
    )
    fast_len: int = Field(
        default=12,
        ge=2,
        le=200,
        title="Fast average",
        description="Length of the fast exponential average, on both timeframes.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    slow_len: int = Field(
        default=26,
        ge=2,
        le=200,
        title="Slow average",
        description="Length of the slow exponential average; longer than the fast one.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    signal_len: int = Field(
        default=9,
        ge=2,
        le=200,
        title="Signal line",
        description="Length of the average of the MACD itself.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    trend_determination: Literal["MACD_MINUS_SIGNAL", "MACD"] = Field(
        default="MACD_MINUS_SIGNAL",
        title="Trend value",
        description="What is above 0 in an upward trend, on both timeframes.",
        json_schema_extra={
            "affects": "signal",
            "labels": {
                "MACD_MINUS_SIGNAL": "The MACD less its signal line",
                "MACD": "The MACD itself",
            },
        },
    )
    exit_on_opposite: Literal["CROSS", "FULL", "OFF"] = Field(
        default="CROSS",
        title="Exit on the opposite",
        description=(
            "Whether the opposite cross leaves, or only one that the higher timeframe agrees with (a "
            "reversal)."
        ),
        json_schema_extra={
            "affects": "signal",
            "labels": {
                "CROSS": "Every opposite cross",
                "FULL": "A whole opposite entry",
                "OFF": "Never, by stop and target alone",
            },
        },
    )
    sizing: Literal["LOT", "RISK"] = Field(
        default="LOT",
        title="Size by",
        description="How large an entry is.",
        json_schema_extra={
            "affects": "rules",
            "labels": {"LOT": "The same quantity each time", "RISK": "What the stop may lose"},
        },
    )
    lot_size: float = Field(
        default=0.01,
        ge=0.000001,
        le=1_000_000.0,
        title="Lot",
        description="Quantity of each entry, when sized by lot.",
        json_schema_extra={"unit": "base units", "affects": "rules"},
    )
    risk_per_trade_percent: float = Field(
        default=1.0,
        ge=0.1,
        le=10.0,
        title="Risk per trade",
        description="How much of the capital a stop loses, when sized by risk.",
        json_schema_extra={"unit": "% of capital", "affects": "rules", "step": 0.1},
    )
    use_stop_loss: bool = Field(
        default=True,
        title="Use a stop loss",
        description="Whether a stop protects the position.",
        json_schema_extra={"affects": "rules"},
    )
    stop_loss_percent: float = fields.stop_loss(2.0)
    use_take_profit: bool = Field(
        default=True,
        title="Use a take profit",
        description="Whether a target ends the trade.",
        json_schema_extra={"affects": "rules"},
    )
    take_profit_percent: float = fields.take_profit(4.0)
    use_forecast_filter: bool = Field(
        default=False,
        title="Filter by the forecast",
        description=(
            "Enter only where the far end of the middle band is beyond the price by more than the "
            "fees. Needs the history that the forecast remembers before the first entry."
        ),
        json_schema_extra={"affects": "signal"},
    )
    forecast_fee_percent: float = Field(
        default=0.1,
        ge=0.0,
        le=5.0,
        title="Fees to earn",
        description="How far beyond the price the forecast must end, when entries are filtered.",
        json_schema_extra={"unit": "% of price", "affects": "signal", "step": 0.01},
    )
    max_memory: int = Field(
        default=50,
        ge=2,
        le=500,
        title="Samples remembered",
        description="How many earlier trends count for each bar of a forecast, the newest first.",
        json_schema_extra={"unit": "trends", "affects": "signal"},
    )
    memory_bars: int = Field(
        default=5_000,
        ge=100,
        le=50_000,
        title="Memory",
        description="Trends that began longer ago are forgotten.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    forecast_length: int = Field(
        default=100,
        ge=1,
        le=500,
        title="Forecast length",
        description="How many bars a forecast reaches at most.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    # Only the middle band can keep an entry out; the outer two are drawn and nothing else.
    forecast_top_percentile: int = Field(
        default=80,
        ge=51,
        le=99,
        title="Upper band",
        description="Percentile of earlier trends at the upper band.",
        json_schema_extra={"unit": "%", "affects": "rules"},
    )
    forecast_mid_percentile: int = Field(
        default=50,
        ge=1,
        le=99,
        title="Middle band",
        description="Percentile of earlier trends at the middle band.",
        json_schema_extra={"unit": "%", "affects": "signal"},
    )
    forecast_bottom_percentile: int = Field(
        default=20,
        ge=1,
        le=49,
        title="Lower band",
        description="Percentile of earlier trends at the lower band.",
        json_schema_extra={"unit": "%", "affects": "rules"},
    )

    @model_validator(mode="after")
    def _values_fit_each_other(self) -> Self:
        if self.fast_len >= self.slow_len:
            raise inconsistent(
                "fast_len",
                f"The fast average ({self.fast_len} bars) must be shorter than "
                f"the slow one ({self.slow_len} bars).",
            )
        if self.sizing == "RISK" and not self.use_stop_loss:
            raise inconsistent("sizing", "Sizing by risk needs a stop loss.")
        return self


def requirements(params: Params) -> Requirements:
    """Return the warm-up of both timeframes, and the forecast's memory if entries depend on it."""
    higher = Timeframe(params.htf)
    higher_bars = max(
        params.slow_len + params.signal_len + _HIGHER_BARS, _WARM_UP_PERIODS * params.slow_len
    )
    remembered = params.memory_bars if params.use_forecast_filter else 0
    return Requirements(
        warm_up_bars=_WARM_UP_PERIODS * params.slow_len + remembered,
        # A history may begin in the middle of a higher bar, which then does not count.
        warm_up_ms=(higher_bars + 1) * higher.milliseconds,
        timeframes=(higher,),
    )


def signals(view: MarketView, params: Params) -> Signals:
    """Return where the trend value crosses 0 and the higher timeframe's is on the same side."""
    close = view.candles.close
    trend, higher = _trend(close, params), _higher_trend(view, params)
    zero = np.zeros(len(close))
    up, down = cross_up(trend, zero), cross_down(trend, zero)
    long, short = up & (higher > 0), down & (higher < 0)
    if params.use_forecast_filter:
        far = _forecast(close, trend, params).ends[_MIDDLE]
        fee = params.forecast_fee_percent / 100.0
        # Without a forecast the level is undefined, and no comparison holds.
        long &= far >= close * (1.0 + fee)
        short &= far <= close * (1.0 - fee)
    leave_long, leave_short = {
        "CROSS": (down, up),
        "FULL": (short, long),
        "OFF": (np.zeros_like(up), np.zeros_like(up)),
    }[params.exit_on_opposite]
    # A crossing compares two bars.
    ready = np.zeros(len(close), dtype=np.bool_)
    ready[1:] = ~np.isnan(trend[:-1]) & ~np.isnan(higher[1:])
    return Signals(long, short, leave_long, leave_short, ready)


def rules(params: Params) -> Rules:
    """Return stop and target as far as they are used, and the size."""
    by_risk = params.sizing == "RISK"
    return Rules(
        stop_percent=params.stop_loss_percent if params.use_stop_loss else 0.0,
        target_percent=params.take_profit_percent if params.use_take_profit else 0.0,
        sizing=SizingMode.RISK if by_risk else SizingMode.FIXED_BASE,
        size=params.risk_per_trade_percent if by_risk else params.lot_size,
        **params.common_rules(),
    )


def overlays(view: MarketView, params: Params) -> Sequence[Overlay]:
    """Return the bands as they were forecast at each cross, and the trend values below."""
    close = view.candles.close
    trend = _trend(close, params)
    bands = _forecast(close, trend, params).bands
    percents = _percents(params)
    return (
        *(
            Overlay(f"Forecast {percent} %", band)
            for percent, band in zip(percents, bands, strict=True)
        ),
        Overlay("Trend value", trend, pane="MACD"),
        Overlay(
            f"Trend value {params.htf}", _higher_trend(view, params), pane=f"MACD {params.htf}"
        ),
    )


def _trend(close: NDArray[np.float64], params: Params) -> NDArray[np.float64]:
    """Return the trend value of *close*, undefined until the signal line is defined."""
    lines = macd(close, params.fast_len, params.slow_len, params.signal_len)
    if params.trend_determination == "MACD":
        return np.where(np.isnan(lines.signal), np.nan, lines.line)
    return lines.histogram


def _higher_trend(view: MarketView, params: Params) -> NDArray[np.float64]:
    """Return at each bar the trend value of the newest higher bar that is closed by then."""
    higher = view.higher(params.htf)
    return higher.at_base(_trend(higher.candles.close, params))


def _forecast(close: NDArray[np.float64], trend: NDArray[np.float64], params: Params) -> Forecast:
    return trend_forecast(
        close,
        trend,
        percents=_percents(params),
        max_memory=params.max_memory,
        forecast_length=params.forecast_length,
        memory_bars=params.memory_bars,
    )


def _percents(params: Params) -> tuple[int, int, int]:
    return (
        params.forecast_top_percentile,
        params.forecast_mid_percentile,
        params.forecast_bottom_percentile,
    )
