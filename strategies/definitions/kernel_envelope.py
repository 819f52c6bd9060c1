"""Kernel envelope: fade closes that stray too far from a smoothed price."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from market.enums import InstrumentKind
from market.timeframes import Timeframe
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
VERSION: Final = "1.0.0"


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
        description=(
            "CROSS enters at the first close outside, TOUCH at every close outside (again at once "
            "after a stop), REENTER at the first close back inside."
        ),
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
    """Return how much history comes before the first decision: both windows, filled."""
    return Requirements(warm_up_bars=params.window + params.mae_length)


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
    width = params.multiplier * sma(errors, params.mae_length)
    return _Envelope(middle - width, middle, middle + width)
