"""EMA crossover: follow the trend when a fast average crosses a slow one."""

from collections.abc import Sequence
from functools import partial
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from strategies import fields
from strategies.indicators.averages import ema
from strategies.indicators.crossings import ema_crossings
from strategies.rules import Rules, SizingMode
from strategies.shapes import Category, Overlay, Requirements, Risk, StrategyParams, inconsistent
from strategies.signals import Signals
from strategies.views import MarketView

SLUG: Final = "ema-crossover"
NAME: Final = "EMA crossover"
CATEGORY: Final = Category.TREND_FOLLOWING
RISK: Final = Risk.MEDIUM
SUMMARY: Final = (
    "Trades in the direction of a fast moving average crossing a slow one, "
    "with a fixed percent stop and target."
)
VERSION: Final = "1.0.0"

#: History in front of the first decision, in multiples of the slow period. Of an average's seed
#: (the mean of its first period) about 1 part in 3,000 is left after it, so that a run that starts
#: earlier gives the same signals.
_WARM_UP_PERIODS: Final = 5


class Params(StrategyParams):
    """What a person may set."""

    short_ema_period: int = Field(
        default=10,
        ge=2,
        le=100,
        title="Fast average",
        description="Length of the fast exponential moving average of closes.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    long_ema_period: int = Field(
        default=20,
        ge=5,
        le=200,
        title="Slow average",
        description="Length of the slow exponential moving average; longer than the fast one.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    risk_per_trade_percent: float = fields.risk_per_trade(1.0)
    stop_loss_percent: float = fields.stop_loss(2.0)
    take_profit_percent: float = fields.take_profit(4.0)

    @model_validator(mode="after")
    def _fast_is_shorter_than_slow(self) -> Self:
        if self.short_ema_period >= self.long_ema_period:
            raise inconsistent(
                "short_ema_period",
                f"The fast average ({self.short_ema_period} bars) must be shorter than "
                f"the slow one ({self.long_ema_period} bars).",
            )
        return self


def requirements(params: Params) -> Requirements:
    """Return how much history comes before the first decision."""
    return Requirements(warm_up_bars=_WARM_UP_PERIODS * params.long_ema_period)


def signals(view: MarketView, params: Params) -> Signals:
    """Return where the fast average crosses the slow one: upwards long, downwards short."""
    close = view.candles.close
    crossed = ema_crossings(close, params.short_ema_period, params.long_ema_period)
    up, down = crossed.up, crossed.down
    return Signals(
        enter_long=up, enter_short=down, exit_long=down, exit_short=up, ready=crossed.ready
    )


def says_of_many(view: MarketView, params: Sequence[Params]) -> NDArray[np.uint8]:
    """Return what ``signals`` says with each of *params*, a row of bits for each of them."""
    from strategies.indicators import crossings_kernel  # noqa: PLC0415 - the compiler loads with it

    close = view.candles.close
    said = np.empty((len(params), len(close)), dtype=np.uint8)
    for row, each in zip(said, params, strict=True):
        fast, slow = (
            view.once(("ema", period), partial(ema, close, period))
            for period in (each.short_ema_period, each.long_ema_period)
        )
        crossings_kernel.say_crossings(fast, slow, row)
    return said


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
    """Return the two averages."""
    close = view.candles.close
    return (
        Overlay(f"EMA {params.short_ema_period}", ema(close, params.short_ema_period)),
        Overlay(f"EMA {params.long_ema_period}", ema(close, params.long_ema_period)),
    )
