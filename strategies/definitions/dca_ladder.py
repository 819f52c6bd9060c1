"""DCA ladder: buy, average down with limit orders, sell in three slices under a rising stop.

Always in the market and long only. A cycle begins with a limit order at the last price. Once it is
filled, a ladder of safety orders rests below it, each a fixed step further down. Every one that fills
lowers the average price, and the three targets and the stop follow it. At the first target the rest
of the ladder is canceled and the stop goes to the average, at the second to the first target.
"""

from collections.abc import Sequence
from typing import Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from market.timeframes import MINUTE_MS, SECOND_MS, Timeframe
from strategies.rules import Ladder, PartialTarget, Rules, SizingMode
from strategies.shapes import Category, Overlay, Requirements, Risk, StrategyParams, inconsistent
from strategies.signals import ENTER_AT_LIMIT, Signals
from strategies.views import MarketView

SLUG: Final = "dca-ladder"
NAME: Final = "DCA ladder"
CATEGORY: Final = Category.ACCUMULATION
RISK: Final = Risk.MEDIUM
TIMEFRAME: Final = Timeframe.M1
SUMMARY: Final = (
    "Always long: buys a base order, averages down with a ladder of limit orders, and sells in "
    "three slices under a stop that moves up."
)
VERSION: Final = "1.0.0"

_MOST_QUOTE: Final = 1_000_000_000.0


class Params(StrategyParams):
    """What a person may set."""

    direction: Literal["LONG"] = Field(
        default="LONG",
        title="Direction",
        description="It only buys: averaging down has no counterpart that it trades.",
        json_schema_extra={"affects": "rules", "labels": {"LONG": "Long only"}},
    )
    base_order_size_usdt: float = Field(
        default=10.0,
        ge=0.01,
        le=_MOST_QUOTE,
        title="Base order",
        description="What the first order of a cycle buys for.",
        json_schema_extra={"unit": "quote", "affects": "rules"},
    )
    safety_order_size_usdt: float = Field(
        default=10.0,
        ge=0.01,
        le=_MOST_QUOTE,
        title="Safety order",
        description="What the first safety order buys for.",
        json_schema_extra={"unit": "quote", "affects": "rules"},
    )
    safety_order_deviation_percent: float = Field(
        default=1.0,
        ge=0.05,
        le=50.0,
        title="Step of the ladder",
        description="How far each safety order lies below the one above it, from the base fill.",
        json_schema_extra={"unit": "% of base fill", "affects": "rules", "step": 0.05},
    )
    safety_order_scale_factor: float = Field(
        default=1.0,
        ge=0.1,
        le=10.0,
        title="Growth of safety orders",
        description="How many times the size of one safety order the next one has.",
        json_schema_extra={"unit": "x", "affects": "rules", "step": 0.1},
    )
    max_safety_orders: int = Field(
        default=5,
        ge=0,
        le=50,
        title="Safety orders",
        description="How many there are at most in a cycle; the last must lie above a price of 0.",
        json_schema_extra={"affects": "rules"},
    )
    tp1_percent: float = Field(
        default=1.0,
        ge=0.05,
        le=500.0,
        title="First target",
        description="How far above the average price the first slice is sold.",
        json_schema_extra={"unit": "% over average", "affects": "rules", "step": 0.05},
    )
    tp1_sell_percent: float = Field(
        default=40.0,
        ge=1.0,
        le=99.0,
        title="First slice",
        description="How much of the position the first target sells.",
        json_schema_extra={"unit": "% of position", "affects": "rules", "step": 1},
    )
    tp2_percent: float = Field(
        default=3.0,
        ge=0.05,
        le=500.0,
        title="Second target",
        description="How far above the average the second slice is sold; beyond the first target.",
        json_schema_extra={"unit": "% over average", "affects": "rules", "step": 0.05},
    )
    tp2_sell_percent: float = Field(
        default=40.0,
        ge=1.0,
        le=99.0,
        title="Second slice",
        description="How much of what is left by then the second target sells.",
        json_schema_extra={"unit": "% of position", "affects": "rules", "step": 1},
    )
    tp3_percent: float = Field(
        default=20.0,
        ge=0.05,
        le=1_000.0,
        title="Third target",
        description="How far above the average the rest is sold; beyond the second target.",
        json_schema_extra={"unit": "% over average", "affects": "rules", "step": 0.05},
    )
    stop_loss_percent: float = Field(
        default=5.0,
        ge=0.1,
        le=99.0,
        title="Stop loss",
        description="How far below the average price everything is sold.",
        json_schema_extra={"unit": "% under average", "affects": "rules", "step": 0.1},
    )
    reentry_cooldown_minutes: int = Field(
        default=15,
        ge=0,
        le=43_200,
        title="Pause between cycles",
        description="How long after the end of a cycle the next one waits.",
        json_schema_extra={"unit": "min", "affects": "rules"},
    )
    entry_ttl_seconds: int = Field(
        default=60,
        ge=1,
        le=86_400,
        title="Patience of the base order",
        description="How long it may wait for its price, in whole bars, before it is quoted anew.",
        json_schema_extra={"unit": "s", "affects": "signal"},
    )
    max_cycles: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        title="Cycles",
        description="How many cycles are begun; 0 for any number.",
        json_schema_extra={"affects": "rules"},
    )

    @model_validator(mode="after")
    def _targets_rise(self) -> Self:
        if self.tp2_percent <= self.tp1_percent:
            raise inconsistent("tp2_percent", "The second target must lie beyond the first one.")
        if self.tp3_percent <= self.tp2_percent:
            raise inconsistent("tp3_percent", "The third target must lie beyond the second one.")
        return self

    @model_validator(mode="after")
    def _ladder_ends_above_nothing(self) -> Self:
        depth = self.safety_order_deviation_percent * self.max_safety_orders
        if depth >= 100:
            raise inconsistent(
                "max_safety_orders",
                f"{self.max_safety_orders} steps of {self.safety_order_deviation_percent:g} % go "
                f"{depth:g} % below the base order; they must stay under 100 %.",
            )
        return self


def requirements(params: Params) -> Requirements:
    """Return that it needs no history: it looks at the last price alone."""
    return Requirements(warm_up_bars=0, rests_entries=True)


def least_capital(params: Params) -> float:
    """Return what a cycle whose ladder fills to its end buys for, in quote."""
    steps = range(params.max_safety_orders)
    scale = params.safety_order_scale_factor
    safety = sum(params.safety_order_size_usdt * scale**step for step in steps)
    return params.base_order_size_usdt + safety


def signals(view: MarketView, params: Params) -> Signals:
    """Return a limit order at every close, good for as many whole bars as the patience needs."""
    count = len(view.candles)
    bars = -(-params.entry_ttl_seconds * SECOND_MS // view.timeframe.milliseconds)
    never, always = np.zeros(count, dtype=np.bool_), np.ones(count, dtype=np.bool_)
    return Signals(
        enter_long=always,
        enter_short=never,
        exit_long=never,
        exit_short=never,
        ready=always,
        entry_kind=np.full(count, ENTER_AT_LIMIT, dtype=np.int8),
        entry_price=view.candles.close.copy(),
        entry_bars=np.full(count, bars, dtype=np.int32),
    )


def rules(params: Params) -> Rules:
    """Return ladder, three targets and the ratcheted stop, all from the average cost with fees."""
    return Rules(
        stop_percent=params.stop_loss_percent,
        target_percent=params.tp3_percent,
        partial_targets=(
            PartialTarget(params.tp1_percent, params.tp1_sell_percent),
            PartialTarget(params.tp2_percent, params.tp2_sell_percent),
        ),
        stop_ratchet=True,
        anchor_includes_fees=True,
        ladder=_ladder(params),
        sizing=SizingMode.FIXED_QUOTE,
        size=params.base_order_size_usdt,
        cooldown_ms=params.reentry_cooldown_minutes * MINUTE_MS,
        max_trades=params.max_cycles,
        **params.common_rules(),
    )


def overlays(view: MarketView, params: Params) -> Sequence[Overlay]:
    """Return the levels of a cycle that would begin at each close."""
    close = view.candles.close
    depth = params.safety_order_deviation_percent * params.max_safety_orders
    lines = [
        Overlay("Target 1 from here", close * (1 + params.tp1_percent / 100)),
        Overlay("Stop from here", close * (1 - params.stop_loss_percent / 100)),
    ]
    if params.max_safety_orders:
        lines.append(Overlay("Last safety order from here", close * (1 - depth / 100)))
    return lines


def _ladder(params: Params) -> Ladder | None:
    if not params.max_safety_orders:
        return None
    return Ladder(
        steps=params.max_safety_orders,
        deviation_percent=params.safety_order_deviation_percent,
        quote=params.safety_order_size_usdt,
        scale=params.safety_order_scale_factor,
    )
