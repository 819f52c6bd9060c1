"""Bollinger pull-through: trade recoveries through a band while volatility grows."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from market.enums import InstrumentKind
from strategies import fields
from strategies.indicators.averages import ema, sma
from strategies.indicators.bands import bollinger, sample_deviation
from strategies.indicators.crossings import reach_down, reach_up
from strategies.rules import Rules, SizingMode
from strategies.shapes import Category, Overlay, Requirements, Risk, StrategyParams
from strategies.signals import Signals
from strategies.views import MarketView

SLUG: Final = "orphan-bands"
NAME: Final = "The Orphan (Bollinger + trend)"
CATEGORY: Final = Category.MEAN_REVERSION
RISK: Final = Risk.HIGH
MARKET: Final = InstrumentKind.LINEAR_SWAP
SUMMARY: Final = (
    "While volatility grows, buys recoveries through the lower Bollinger band above the trend, and "
    "sells spikes through the upper one below it."
)
VERSION: Final = "1.0.0"

#: History in front of the first decision, in multiples of the trend's period.
_WARM_UP_PERIODS: Final = 5


class Params(StrategyParams):
    """What a person may set."""

    bb_length: int = Field(
        default=14,
        ge=1,
        le=500,
        title="Band length",
        description="Over how many closes the Bollinger bands are taken.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    bb_stdev: float = Field(
        default=2.1,
        ge=0.1,
        le=10.0,
        title="Band width",
        description="Distance of the bands from their mean, in standard deviations.",
        json_schema_extra={"unit": "deviations", "affects": "signal", "step": 0.1},
    )
    trend_period: int = Field(
        default=90,
        ge=1,
        le=1_000,
        title="Trend average",
        description="Length of the exponential average that parts longs (above) from shorts.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    vol_filter_length: int = Field(
        default=15,
        ge=2,
        le=500,
        title="Volatility",
        description="Over how many closes volatility is taken.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    vol_ma_length: int = Field(
        default=28,
        ge=1,
        le=500,
        title="Mean volatility",
        description="Entries need a volatility above its mean over this many bars.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    short_trigger: Literal["PIERCE", "REENTER"] = Field(
        default="PIERCE",
        title="Sell when",
        description="Which close at the upper band is sold below the trend.",
        json_schema_extra={
            "affects": "signal",
            "labels": {
                "PIERCE": "It spikes through the band",
                "REENTER": "It comes back below the band",
            },
        },
    )
    bb_exit: bool = Field(
        default=True,
        title="Exit at the opposite band",
        description="Whether a close through the opposite band ends the trade.",
        json_schema_extra={"affects": "signal"},
    )
    bb_exit_delay: int = Field(
        default=1,
        ge=0,
        le=10,
        title="Band exit delay",
        description="How many bars after that close the position is left.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    sl_percent: float = fields.stop_loss(2.0)
    tp_percent: float = fields.take_profit(9.0, remark="; seldom reached with a tight trail")
    use_trailing: bool = Field(
        default=True,
        title="Trail the stop",
        description="Whether the stop follows the best price once the trade has gained enough.",
        json_schema_extra={"affects": "rules"},
    )
    trail_stop_activation_percent: float = Field(
        default=0.5,
        ge=0.0,
        le=50.0,
        title="Trail activation",
        description=(
            "Gain from which on the stop trails. Activated at 0.5 % with a distance of 0.5 % it "
            "starts at about the entry price."
        ),
        json_schema_extra={"unit": "% from entry", "affects": "rules", "step": 0.1},
    )
    trail_offset_percent: float = Field(
        default=0.5,
        ge=0.1,
        le=50.0,
        title="Trail distance",
        description="Distance of the trailing stop from the best price since it was activated.",
        json_schema_extra={"unit": "% of price", "affects": "rules", "step": 0.1},
    )
    position_size_percent_equity: float = fields.position_size(10.0)


def requirements(params: Params) -> Requirements:
    """Return how much history comes before the first decision."""
    formal = max(
        params.bb_length, params.trend_period, params.vol_filter_length + params.vol_ma_length - 1
    )
    delayed = 2 + params.bb_exit_delay
    return Requirements(warm_up_bars=max(_WARM_UP_PERIODS * params.trend_period, formal + delayed))


def signals(view: MarketView, params: Params) -> Signals:
    """Return where the close passes a band on the wrong side of the trend, volatility growing."""
    close = view.candles.close
    bands = bollinger(close, params.bb_length, params.bb_stdev)
    trend = ema(close, params.trend_period)
    volatility = sample_deviation(close, params.vol_filter_length)
    usual = sma(volatility, params.vol_ma_length)
    is_wild = volatility > usual
    pierced = reach_up(close, bands.upper)
    sold = pierced if params.short_trigger == "PIERCE" else reach_down(close, bands.upper)
    leaves_long, leaves_short = pierced, reach_down(close, bands.lower)
    if not params.bb_exit:
        leaves_long = leaves_short = np.zeros(len(close), dtype=np.bool_)
    # A crossing compares two bars.
    ready = np.zeros(len(close), dtype=np.bool_)
    ready[1:] = ~(np.isnan(bands.upper) | np.isnan(trend) | np.isnan(usual))[:-1]
    return Signals(
        enter_long=reach_up(close, bands.lower) & (close > trend) & is_wild,
        enter_short=sold & (close < trend) & is_wild,
        exit_long=_delayed(leaves_long, params.bb_exit_delay),
        exit_short=_delayed(leaves_short, params.bb_exit_delay),
        ready=ready,
    )


def rules(params: Params) -> Rules:
    """Return stop, target, trail and size; both directions, as far as the market allows."""
    return Rules(
        stop_percent=params.sl_percent,
        target_percent=params.tp_percent,
        trail_activation_percent=params.trail_stop_activation_percent,
        trail_offset_percent=params.trail_offset_percent if params.use_trailing else 0.0,
        sizing=SizingMode.NOTIONAL,
        size=params.position_size_percent_equity,
        **params.common_rules(),
    )


def overlays(view: MarketView, params: Params) -> Sequence[Overlay]:
    """Return the bands and the trend."""
    close = view.candles.close
    bands = bollinger(close, params.bb_length, params.bb_stdev)
    return (
        Overlay("Upper band", bands.upper),
        Overlay("Lower band", bands.lower),
        Overlay(f"EMA {params.trend_period}", ema(close, params.trend_period)),
    )


def _delayed(events: NDArray[np.bool_], bars: int) -> NDArray[np.bool_]:
    later = np.zeros_like(events)
    later[bars:] = events[: max(len(events) - bars, 0)]
    return later
