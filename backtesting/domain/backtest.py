"""One specification and its bars turned into a result: the only way in which a run is computed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from backtesting.domain.curves import EquityCurve
from backtesting.domain.specification import Specification
from backtesting.domain.windows import Stretch, stretch_of
from backtesting.engine import SimulationResult, TradeRow, data_fingerprint, simulate
from backtesting.metrics import Metrics, compute_metrics
from market import money
from market.candles import Candles
from market.timeframes import from_milliseconds
from strategies.signals import Signals
from strategies.views import MarketView


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """A computed run: the bars that it worked on, what happened, and what it was worth."""

    specification: Specification
    stretch: Stretch
    result: SimulationResult
    metrics: Metrics

    @property
    def effective_from_at(self) -> datetime:
        """Open time of the first bar at whose close a position could be decided."""
        return from_milliseconds(self.stretch.trade_from_ms)

    @property
    def bar_count(self) -> int:
        """How many bars it could trade on."""
        return len(self.stretch.candles) - self.stretch.start_index

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of the bars, warm-up included."""
        return data_fingerprint(self.stretch.candles)

    def trades(self) -> tuple[TradeRow, ...]:
        """Return the trades in decimals."""
        terms = self.specification.terms
        return self.result.to_trades(tick=terms.tick_size, step=terms.lot_step)

    def metrics_json(self) -> dict[str, Any]:
        """Return the metrics, the decisions and how many bars left something open, as plain values."""
        counts = {reason.value: count for reason, count in self.result.reason_counts().items()}
        return {
            **self.metrics.to_json(),
            "decisions": counts,
            "ambiguous_bars": self.result.ambiguous_bars,
        }

    def curve(self) -> EquityCurve:
        """Return equity and buy-and-hold after each bar from the effective start on."""
        start = self.stretch.start_index
        part = self.stretch.candles.slice(start, len(self.stretch.candles))
        close_of = self.specification.timeframe.close_of
        closes = np.array([close_of(each) for each in part.open_time.tolist()], dtype=np.int64)
        capital = self.result.capital
        return EquityCurve(
            close_time=closes,
            equity=self.result.equity[start:],
            buy_and_hold=capital * (part.close / part.open[0]),
            capital=capital,
        )

    def exposure(self) -> None:
        """Return nothing: of one market the position tells what is at stake."""


def run_backtest(
    specification: Specification,
    candles: Candles,
    *,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Backtest:
    """Return what *specification* comes to on *candles*, which cover its window and warm-up.

    Pure: the same arguments give the same bytes. *progress* and *should_stop* as for ``simulate``;
    raises NoCandlesError or WindowTooShortError for too few bars.
    """
    stretch = stretch_of(candles, specification.window, warm_up_bars=specification.warm_up_bars)
    view = MarketView(stretch.candles, specification.timeframe)
    signals = specification.definition.signals(view, specification.params)
    return backtest_of(specification, stretch, signals, progress=progress, should_stop=should_stop)


def backtest_of(
    specification: Specification,
    stretch: Stretch,
    signals: Signals,
    *,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Backtest:
    """Return what *specification* comes to with *signals*, which the strategy gave on *stretch*.

    For whoever has the signals already: specifications that differ in rules alone share them.
    """
    costs = specification.costs()
    result = simulate(
        stretch.candles,
        signals,
        specification.rules(),
        costs,
        capital=money.float_of(specification.capital),
        trade_from_ms=stretch.trade_from_ms,
        progress=progress,
        should_stop=should_stop,
    )
    metrics = compute_metrics(result, stretch.candles, costs, timeframe=specification.timeframe)
    return Backtest(specification, stretch, result, metrics)
