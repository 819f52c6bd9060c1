"""RSI divergence: fade a swing that the relative strength index does not confirm."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from pydantic import Field

from market.enums import InstrumentKind
from strategies import fields
from strategies.indicators.oscillators import rsi
from strategies.indicators.peaks import Divergences, divergences
from strategies.rules import Rules, SizingMode
from strategies.shapes import Category, Overlay, Requirements, Risk, StrategyParams
from strategies.signals import Signals
from strategies.views import MarketView

SLUG: Final = "rsi-divergence"
NAME: Final = "RSI divergence"
CATEGORY: Final = Category.MEAN_REVERSION
RISK: Final = Risk.HIGH
MARKET: Final = InstrumentKind.LINEAR_SWAP
SUMMARY: Final = (
    "Trades against the last swing when the price makes a new extreme that its relative strength "
    "index does not confirm."
)
VERSION: Final = "1.0.0"

#: History in front of the first decision, in multiples of the RSI's period. Of the first averages
#: about 1 part in 30,000 is left after it.
_WARM_UP_PERIODS: Final = 10


class Params(StrategyParams):
    """What a person may set."""

    rsi_period: int = Field(
        default=14,
        ge=5,
        le=50,
        title="RSI period",
        description="Length of the relative strength index, after Wilder.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    lookback_period: int = Field(
        default=20,
        ge=10,
        le=100,
        title="Lookback",
        description="How many bars back swings are looked for.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    peak_prominence: float = Field(
        default=0.5,
        ge=0.1,
        le=10.0,
        title="RSI prominence",
        description="How far a swing of the RSI must stand out.",
        json_schema_extra={"unit": "RSI points", "affects": "signal", "step": 0.1},
    )
    price_prominence_factor: float = Field(
        default=0.1,
        ge=0.01,
        le=5.0,
        title="Price prominence",
        description="How far a swing of the price must stand out, in deviations of recent closes.",
        json_schema_extra={"unit": "x deviation", "affects": "signal", "step": 0.01},
    )
    max_signal_age: int = Field(
        default=3,
        ge=1,
        le=10,
        title="Signal age",
        description="For how many bars after a swing a divergence may still be entered.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    max_pivot_offset: int = Field(
        default=3,
        ge=0,
        le=20,
        title="Swing offset",
        description="How many bars a swing of the RSI may come before the price's.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    exit_on_opposite: bool = Field(
        default=False,
        title="Exit on the opposite",
        description="Whether the opposite divergence closes a position, and turns it round.",
        json_schema_extra={"affects": "signal"},
    )
    risk_per_trade_percent: float = fields.risk_per_trade(1.5)
    stop_loss_percent: float = fields.stop_loss(2.0)
    take_profit_percent: float = fields.take_profit(4.0)


def requirements(params: Params) -> Requirements:
    """Return how much history comes before the first decision."""
    return Requirements(warm_up_bars=_WARM_UP_PERIODS * params.rsi_period + params.lookback_period)


def signals(view: MarketView, params: Params) -> Signals:
    """Return where a divergence is first seen: at a low long, at a high short."""
    found = _divergences(view, params)
    bars = len(view.candles)
    never = np.zeros(bars, dtype=np.bool_)
    ready = np.arange(bars) >= params.rsi_period + params.lookback_period - 1
    return Signals(
        enter_long=found.bullish,
        enter_short=found.bearish,
        exit_long=found.bearish if params.exit_on_opposite else never,
        exit_short=found.bullish if params.exit_on_opposite else never,
        ready=ready,
    )


def rules(params: Params) -> Rules:
    """Return stop, target and size; both directions, as far as the market allows."""
    return Rules(
        stop_percent=params.stop_loss_percent,
        target_percent=params.take_profit_percent,
        sizing=SizingMode.RISK,
        size=params.risk_per_trade_percent,
        **params.common_rules(),
    )


def overlays(view: MarketView, params: Params) -> Sequence[Overlay]:
    """Return the newest swings as they were known at each bar, and the RSI below."""
    found = _divergences(view, params)
    return (
        Overlay("Swing high", found.high),
        Overlay("Swing low", found.low),
        Overlay(f"RSI {params.rsi_period}", rsi(view.candles.close, params.rsi_period), pane="RSI"),
    )


def _divergences(view: MarketView, params: Params) -> Divergences:
    close = view.candles.close
    return divergences(
        close,
        rsi(close, params.rsi_period),
        lookback=params.lookback_period,
        price_prominence=params.price_prominence_factor,
        oscillator_prominence=params.peak_prominence,
        max_age=params.max_signal_age,
        max_offset=params.max_pivot_offset,
    )
