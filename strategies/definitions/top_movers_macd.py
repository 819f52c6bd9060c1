"""Top movers MACD: trade momentum on the markets that rose and fell the most within a day.

At every scan the markets of a declared universe are ranked by their change over 24 hours, in percent.
The strongest and the weakest liquid ones are picked and followed for some hours, and longer while they
keep moving and stay near the top. On a market that is followed, the MACD histogram crossing zero enters
in its direction if the bar closed that way too. The opposite cross leaves, whether the market is still
followed or not.

Everything is point in time: ranks, volumes and ranges come from bars that were closed at the scan; a
market counts from a day after its listing on and until its last bar.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from market.enums import InstrumentKind
from market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe
from strategies import fields
from strategies.indicators.crossings import cross_down, cross_up
from strategies.indicators.oscillators import macd
from strategies.indicators.rankings import day_change, day_volume, range_of, ranks
from strategies.rules import Rules, SizingMode
from strategies.shapes import Category, Overlay, Requirements, Risk, StrategyParams, inconsistent
from strategies.signals import Signals
from strategies.views import UniverseView

SLUG: Final = "top-movers-macd"
NAME: Final = "Top movers MACD"
CATEGORY: Final = Category.MOMENTUM
RISK: Final = Risk.HIGH
TIMEFRAME: Final = Timeframe.M15
MARKET: Final = InstrumentKind.LINEAR_SWAP
SUMMARY: Final = (
    "Follows the liquid markets that rose and fell the most within a day, and trades zero crosses "
    "of the MACD histogram on them from one wallet."
)
VERSION: Final = "1.0.0"

#: Of the seed of an average 1 part in 10 million is left after so many of its periods: crosses of a
#: difference around zero feel more of it than crosses of two prices.
_WARM_UP_PERIODS: Final = 8
#: A market that was not picked again within so many evaluation periods leaves in any case, so that
#: what is followed depends on that much history and no more.
_LONGEST_STAY: Final = 4
#: Ranks look back for a day; and as bars are long, evaluations may come late.
_RANKING_MS: Final = 3 * DAY_MS

#: What is held for its price of 1 does not move; as a base it would only dilute the ranking.
_STABLE_BASES: Final = frozenset(
    {"BUSD", "DAI", "EUR", "FDUSD", "GBP", "GUSD", "PAX", "PYUSD", "TUSD", "USD", "USDC", "USDD",
     "USDE", "USDP", "USDS", "USDT", "UST", "USTC"}
)  # fmt: skip
#: Endings of leveraged tokens, whose change is a multiple of another market's.
_LEVERAGED_ENDINGS: Final = ("UP", "DOWN", "BULL", "BEAR", "2L", "2S", "3L", "3S", "5L", "5S")

_GAINER: Final = 1
_LOSER: Final = -1


class Params(StrategyParams):
    """What a person may set."""

    leverage: int = fields.leverage(3)
    top_n_symbols: int = Field(
        default=3,
        ge=1,
        le=10,
        title="Markets per side",
        description="How many gainers and how many losers are picked at a scan.",
        json_schema_extra={"affects": "signal"},
    )
    scan_interval_minutes: int = Field(
        default=15,
        ge=5,
        le=120,
        title="Scan interval",
        description="How often markets are ranked, on the UTC clock and at the close of a bar.",
        json_schema_extra={"unit": "min", "affects": "signal"},
    )
    macd_fast_period: int = Field(
        default=12,
        ge=2,
        le=200,
        title="MACD fast",
        description="Length of the fast average of the MACD; shorter than the slow one.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    macd_slow_period: int = Field(
        default=26,
        ge=2,
        le=200,
        title="MACD slow",
        description="Length of the slow average of the MACD.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    macd_signal_period: int = Field(
        default=9,
        ge=2,
        le=200,
        title="MACD signal",
        description="Length of the average of the MACD that the histogram is measured from.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    stop_loss_percent: float = fields.stop_loss(5.0)
    take_profit_percent: float = Field(
        default=0.0,
        ge=0.0,
        le=500.0,
        title="Take profit",
        description="Distance of a target from the entry price; 0 for none.",
        json_schema_extra={"unit": "% from entry", "affects": "rules", "step": 0.1},
    )
    risk_per_trade_percent: float = Field(
        default=1.0,
        ge=0.1,
        le=10.0,
        title="Risk per trade",
        description="How much of a position's share of the capital is lost at its stop.",
        json_schema_extra={"unit": "% of share", "affects": "rules", "step": 0.1},
    )
    min_volume_usdt_24h: float = Field(
        default=1_000_000.0,
        ge=10_000.0,
        le=1_000_000_000_000.0,
        title="Least volume",
        description="What has to be traded within 24 hours for a market to be ranked.",
        json_schema_extra={"unit": "quote", "affects": "signal", "step": 10_000},
    )
    min_candles_for_signal: int = Field(
        default=50,
        ge=30,
        le=500,
        title="Least history",
        description="How many bars a market must have before it is entered.",
        json_schema_extra={"unit": "bars", "affects": "signal"},
    )
    symbol_eval_period_hours: int = Field(
        default=6,
        ge=1,
        le=168,
        title="Evaluation period",
        description="How long a market is followed before it has to prove itself again.",
        json_schema_extra={"unit": "h", "affects": "signal"},
    )
    symbol_min_volatility_percent: float = Field(
        default=3.0,
        ge=0.1,
        le=100.0,
        title="Least range",
        description="Range from low to high of the evaluation period that keeps a market followed.",
        json_schema_extra={"unit": "% of low", "affects": "signal", "step": 0.1},
    )
    exit_on_opposite_cross: bool = Field(
        default=True,
        title="Leave on the opposite cross",
        description="Whether the histogram crossing back closes a position.",
        json_schema_extra={"affects": "signal"},
    )
    max_hold_hours: int = Field(
        default=0,
        ge=0,
        le=8_760,
        title="Longest hold",
        description="After how long a position is closed; 0 for never.",
        json_schema_extra={"unit": "h", "affects": "rules"},
    )
    max_open_positions: int = Field(
        default=0,
        ge=0,
        le=100,
        title="Open positions",
        description="How many are open at most, each with its share of the capital; 0 for twice the "
        "markets per side.",
        json_schema_extra={"affects": "rules"},
    )
    restrict_side: bool = Field(
        default=False,
        title="One way per side",
        description="Whether gainers are only bought and losers only sold short.",
        json_schema_extra={"affects": "signal"},
    )

    @model_validator(mode="after")
    def _fast_is_shorter_than_slow(self) -> Self:
        if self.macd_fast_period >= self.macd_slow_period:
            raise inconsistent(
                "macd_fast_period",
                f"The fast average ({self.macd_fast_period} bars) must be shorter than "
                f"the slow one ({self.macd_slow_period} bars).",
            )
        return self


def requirements(params: Params) -> Requirements:
    """Return that it needs a universe, and history for averages, ranks and evaluations."""
    averages = _WARM_UP_PERIODS * params.macd_slow_period + params.macd_signal_period
    stay = _LONGEST_STAY * params.symbol_eval_period_hours * HOUR_MS
    return Requirements(
        warm_up_bars=max(averages, params.min_candles_for_signal),
        warm_up_ms=_RANKING_MS + stay,
        longest_timeframe=Timeframe.D1,
        needs_universe=True,
    )


def signals(view: UniverseView, params: Params) -> Signals:
    """Return zero crosses of each market's histogram, entries only where it is followed."""
    change = day_change(view)
    sides = followed_sides(view, params, change)
    up, down, ready = _crosses(view, params)
    is_followed = sides != 0
    may_buy = sides == _GAINER if params.restrict_side else is_followed
    may_sell = sides == _LOSER if params.restrict_side else is_followed
    never = np.zeros(view.close.shape, dtype=np.bool_)
    exits = params.exit_on_opposite_cross
    return Signals(
        enter_long=up & ready & may_buy & (view.close > view.open),
        enter_short=down & ready & may_sell & (view.close < view.open),
        exit_long=down if exits else never,
        exit_short=up if exits else never.copy(),
        ready=ready,
        score=np.nan_to_num(np.abs(change)),
    )


def rules(params: Params) -> Rules:
    """Return stop, optional target and hold, and each position's share of the one wallet."""
    return Rules(
        stop_percent=params.stop_loss_percent,
        target_percent=params.take_profit_percent,
        sizing=SizingMode.RISK,
        size=params.risk_per_trade_percent,
        max_hold_ms=params.max_hold_hours * HOUR_MS,
        max_open_positions=params.max_open_positions or 2 * params.top_n_symbols,
        splits_capital=True,
        **params.common_rules(),
    )


def overlays(view: UniverseView, params: Params) -> Sequence[Overlay]:
    """Return each market's close at the bars on which it was followed, shape ``(symbols, n)``."""
    sides = followed_sides(view, params, day_change(view))
    return (Overlay("Followed", np.where(sides != 0, view.close, np.nan)),)


def followed_sides(
    view: UniverseView, params: Params, change: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Return on which side each market is followed: 1 gainer, -1 loser, 0 not; ``(symbols, n)``.

    A market is picked when it is among the top N of a side at a scan, and then followed for an
    evaluation period. At the first scan after it, it stays for another one if its range was large
    enough and it is within the top 2 N of a side; otherwise it leaves.
    """
    ranked = ~np.isnan(change) & (day_volume(view) >= params.min_volume_usdt_24h)
    ranked &= _tradable(view.symbols)[:, np.newaxis]
    is_loser = ranked & (change < 0)
    gain_rank = ranks(np.where(ranked, change, -np.inf))
    loss_rank = ranks(np.where(is_loser, -change, -np.inf))
    count = params.top_n_symbols
    # In a universe that is small for N a market can be on both sides; its sign decides.
    picked = np.where(ranked & (gain_rank < count), _GAINER, 0).astype(np.int8)
    picked[is_loser & (loss_rank < count)] = _LOSER
    is_near = (ranked & (gain_rank < 2 * count)) | (is_loser & (loss_rank < 2 * count))
    period_ms = params.symbol_eval_period_hours * HOUR_MS
    moves = range_of(view, period_ms) >= params.symbol_min_volatility_percent / 100
    sides: NDArray[np.int8] = _compiled_follow()(
        picked, is_near & moves, _scans(view, params), view.open_time, period_ms, _LONGEST_STAY
    )
    return sides


def _follow(
    picked: NDArray[np.int8],
    stays: NDArray[np.bool_],
    is_scan: NDArray[np.bool_],
    open_time: NDArray[np.int64],
    period_ms: int,
    longest_stay: int,
) -> NDArray[np.int8]:
    """Return ``followed_sides`` from what is picked and what would stay at each bar."""
    count, length = picked.shape
    sides = np.zeros((count, length), dtype=np.int8)
    side = np.zeros(count, dtype=np.int8)
    until = np.zeros(count, dtype=np.int64)
    periods = np.zeros(count, dtype=np.int64)
    for bar in range(length):
        now = open_time[bar]
        for each in range(count):
            if is_scan[bar] and picked[each, bar] != 0:
                side[each] = picked[each, bar]
                until[each] = now + period_ms
                periods[each] = 1
            elif is_scan[bar] and side[each] != 0 and now >= until[each]:
                until[each] = now + period_ms
                periods[each] += 1
                if not stays[each, bar] or periods[each] > longest_stay:
                    side[each] = 0
            sides[each, bar] = side[each]
    return sides


@cache
def _compiled_follow() -> Any:
    """Return ``_follow`` as machine code; Any, because numba has no types."""
    # The compiler loads with it, which is large, and the web process never needs it.
    from market.kernel.compiling import compiled  # noqa: PLC0415

    return compiled(_follow)


def _crosses(
    view: UniverseView, params: Params
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where each histogram crosses zero upwards and downwards, and where it may be traded."""
    shape = view.close.shape
    up, down = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    ready = np.zeros(shape, dtype=np.bool_)
    for each, close in enumerate(view.close):
        bars = np.flatnonzero(~np.isnan(close))
        if not len(bars):
            continue
        histogram = macd(
            np.ascontiguousarray(close[bars]),
            params.macd_fast_period,
            params.macd_slow_period,
            params.macd_signal_period,
        ).histogram
        zero = np.zeros(len(bars))
        up[each, bars] = cross_up(histogram, zero)
        down[each, bars] = cross_down(histogram, zero)
        defined = np.zeros(len(bars), dtype=np.bool_)
        defined[1:] = ~np.isnan(histogram[:-1])
        defined[: params.min_candles_for_signal - 1] = False
        ready[each, bars] = defined
    return up, down, ready


def _scans(view: UniverseView, params: Params) -> NDArray[np.bool_]:
    """Return the bars at whose close the clock has passed a scan since the bar before."""
    interval = params.scan_interval_minutes * MINUTE_MS
    close_time = view.open_time + view.timeframe.milliseconds
    passed: NDArray[np.bool_] = close_time // interval != view.open_time // interval
    return passed


def _tradable(symbols: Sequence[str]) -> NDArray[np.bool_]:
    """Return which symbols are neither stable nor leveraged tokens of another one."""
    bases = [symbol.partition("/")[0] for symbol in symbols]
    known = {*bases, "BTC", "ETH"}

    def is_leveraged(base: str) -> bool:
        return any(base.removesuffix(end) in known - {base} for end in _LEVERAGED_ENDINGS)

    return np.array(
        [base not in _STABLE_BASES and not is_leveraged(base) for base in bases], dtype=np.bool_
    )
