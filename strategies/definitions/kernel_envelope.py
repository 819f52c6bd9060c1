"""Kernel envelope: fade closes that stray too far from a smoothed price."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from market.enums import InstrumentKind
from market.timeframes import Timeframe
from strategies import fields
from strategies.indicators.averages import sma
from strategies.indicators.crossings import cross_down, cross_up, reach_down, reach_up
from strategies.indicators.regression import kernel_regression
from strategies.rules import Rules, SizingMode
from strategies.shapes import Category, Overlay, Requirements, Risk, StrategyParams, inconsistent
from strategies.signals import Signals
from strategies.views import MarketView

SLUG: Final = "kernel-envelope"
NAME: Final = "Kernel envelope"
CATEGORY: Final = Category.MEAN_REVERSION
RISK: Final = Risk.HIGH
TIMEFRAME: Final = Timeframe.M15
MARKET: Final = InstrumentKind.LINEAR_SWAP
SUMMARY: Final = "Trades against closes outside an envelope around a Gaussian-smoothed price."
VERSION: Final = "1.1.0"

#: So many errors make an envelope where a short history is accepted.
_FEWEST_ERRORS: Final = 100


class Params(StrategyParams):
    """What a person may set."""

    h_bandwidth: float = Field(
        default=8.0,
        ge=1.0,
        le=100.0,
        title="Bandwidth",
        description="Width of the Gaussian that smooths closes: the larger, the smoother.",
        json_schema_extra={"unit": "bars", "affects": "signal", "step": 0.5},
    )
    multiplier: float = Field(
        default=3.0,
        ge=0.1,
        le=20.0,
        title="Envelope",
        description="Distance of the envelope from the smoothed price, in mean absolute errors.",
        json_schema_extra={"unit": "x mean error", "affects": "signal", "step": 0.1},
    )
    entry_mode: Literal["CROSS", "TOUCH", "REENTER"] = Field(
        default="CROSS",
        title="Enter when",
        description="Every close outside enters again at once after a stop.",
        json_schema_extra={
            "affects": "signal",
            "labels": {
                "CROSS": "The first close outside",
                "TOUCH": "Every close outside",
                "REENTER": "The first close back inside",
            },
        },
    )
    tp_percent: float = fields.take_profit(1.0, least=0.05, most=50.0)
    sl_percent: float = fields.stop_loss(0.5, least=0.05)
    position_size_percent_capital: float = Field(
        default=10.0,
        ge=0.1,
        le=2_000.0,
        title="Position size",
        description="Worth of an entry; at most 100 % times the leverage.",
        json_schema_extra={"unit": "% of capital", "affects": "rules", "step": 0.1},
    )
    window: int = Field(
        default=500,
        ge=50,
        le=2_000,
        title="Window",
        description="How many bars back the smoothing looks at most.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    mae_length: int = Field(
        default=499,
        ge=20,
        le=2_000,
        title="Error window",
        description="Over how many bars the mean absolute error is taken.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )

    short_history: bool = Field(
        default=False,
        title="Accept a short history",
        description=(
            f"Whether {_FEWEST_ERRORS} errors are enough to begin with. Until the error window is "
            "full the envelope is made of fewer, and a history that begins earlier gives another one."
        ),
        json_schema_extra={"affects": "signal"},
    )

    @model_validator(mode="after")
    def _size_is_covered(self) -> Self:
        if self.position_size_percent_capital > 100 * self.leverage:
            raise inconsistent(
                "position_size_percent_capital",
                f"With a leverage of {self.leverage} a position may be worth at most "
                f"{100 * self.leverage} % of the capital.",
            )
        return self


class _Envelope(NamedTuple):
    lower: NDArray[np.float64]
    middle: NDArray[np.float64]
    upper: NDArray[np.float64]


def requirements(params: Params) -> Requirements:
    """Return how much history comes before the first decision: both windows, filled as asked."""
    return Requirements(warm_up_bars=params.window + _errors_needed(params))


def cautions(params: Params) -> tuple[str, ...]:
    """Return a warning where the envelope may be made of few errors."""
    fewest = _errors_needed(params)
    if fewest == params.mae_length:
        return ()
    text = (
        f"A short history was accepted: the envelope begins with {fewest} errors instead of "
        f"{params.mae_length}, and first signals depend on where the history begins."
    )
    return (text,)


def signals(view: MarketView, params: Params) -> Signals:
    """Return where the close leaves the envelope, or comes back: below long, above short."""
    close = view.candles.close
    lower, _, upper = _envelope(close, params)
    if params.entry_mode == "TOUCH":
        long, short = close <= lower, close >= upper
    elif params.entry_mode == "REENTER":
        long, short = cross_up(close, lower), cross_down(close, upper)
    else:
        long, short = reach_down(close, lower), reach_up(close, upper)
    never = np.zeros(len(close), dtype=np.bool_)
    # A crossing compares two bars.
    ready = never.copy()
    ready[1:] = ~np.isnan(lower[:-1])
    return Signals(long, short, never, never.copy(), ready)


def rules(params: Params) -> Rules:
    """Return stop, target and size; a trade ends by one of these two only."""
    return Rules(
        stop_percent=params.sl_percent,
        target_percent=params.tp_percent,
        sizing=SizingMode.NOTIONAL,
        size=params.position_size_percent_capital,
        **params.common_rules(),
    )


def overlays(view: MarketView, params: Params) -> Sequence[Overlay]:
    """Return the smoothed price and the envelope around it."""
    lower, middle, upper = _envelope(view.candles.close, params)
    return (
        Overlay("Upper envelope", upper),
        Overlay("Smoothed price", middle),
        Overlay("Lower envelope", lower),
    )


def _envelope(close: NDArray[np.float64], params: Params) -> _Envelope:
    """Return the end-point regression and the levels at *multiplier* mean errors from it.

    Errors count from the first bar on whose smoothing had its whole window.
    """
    middle = kernel_regression(close, params.h_bandwidth, params.window)
    errors = np.abs(close - middle)
    errors[: params.window - 1] = np.nan
    mean = sma(errors, params.mae_length)
    if params.short_history:
        known = np.arange(len(close)) - (params.window - 2)
        so_far = np.cumsum(np.nan_to_num(errors)) / np.maximum(known, 1)
        is_short = (known >= _errors_needed(params)) & (known < params.mae_length)
        mean = np.where(is_short, so_far, mean)
    width = params.multiplier * mean
    return _Envelope(middle - width, middle, middle + width)


def _errors_needed(params: Params) -> int:
    return min(_FEWEST_ERRORS, params.mae_length) if params.short_history else params.mae_length
