"""One specification and its bars turned into a result: the only way in which a run is computed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from backtesting.domain.curves import EquityCurve
from backtesting.domain.funding import funding_of
from backtesting.domain.specification import Specification
from backtesting.domain.windows import Stretch, stretch_of
from backtesting.engine import (
    PortfolioResult,
    SimulationResult,
    TradeRow,
    data_fingerprint,
    simulate,
)
from backtesting.metrics import Metrics, compute_metrics
from market import money
from market.candles import Candles
from market.timeframes import from_milliseconds
from strategies.signals import Signals
from strategies.views import MarketView


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """A computed run: the bars that it worked on, what happened, and what it was worth.

    ``kind_result`` is what it would have come to with the better order inside each bar that did not
    say; None if it mattered nowhere.
    """

    specification: Specification
    stretch: Stretch
    result: SimulationResult
    metrics: Metrics
    detail: Candles | None = None
    kind_result: SimulationResult | None = None

    @property
    def effective_from_at(self) -> datetime:
        """Open time of the first bar at whose close a position could be decided."""
        return from_milliseconds(self.stretch.trade_from_ms)

    @property
    def bar_count(self) -> int:
        """How many bars it could trade on."""
        return len(self.stretch.candles) - self.stretch.start_index

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of the bars, warm-up included, and of the minutes in them."""
        parts = (self.stretch.candles, *([] if self.detail is None else [self.detail]))
        return data_fingerprint(*parts)

    def trades(self) -> tuple[TradeRow, ...]:
        """Return the trades in decimals."""
        terms = self.specification.terms
        return self.result.to_trades(tick=terms.tick_size, step=terms.lot_step)

    def metrics_json(self) -> dict[str, Any]:
        """Return the metrics, the decisions and how many bars left something open, as plain values."""
        told = told_of(self.specification, self.result, self.kind_result)
        return {**self.metrics.to_json(), **told}

    def curve(self) -> EquityCurve:
        """Return equity and buy-and-hold after each bar from the effective start on."""
        start = self.stretch.start_index
        part = self.stretch.candles.slice(start, len(self.stretch.candles))
        capital = self.result.capital
        return EquityCurve(
            close_time=self.specification.timeframe.closes_of(part.open_time),
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
    detail: Candles | None = None,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Backtest:
    """Return what *specification* comes to on *candles*, which cover its window and warm-up.

    *detail* are the minutes inside the bars, as far as they are known. Pure: the same arguments give the same bytes. *progress* and *should_stop* as for ``simulate``;
    raises NoCandlesError or WindowTooShortError for too few bars.
    """
    stretch = stretch_of(candles, specification.window, warm_up_bars=specification.warm_up_bars)
    view = MarketView(stretch.candles, specification.timeframe)
    signals = specification.definition.signals(view, specification.params)
    return backtest_of(
        specification,
        stretch,
        signals,
        detail=detail,
        progress=progress,
        should_stop=should_stop,
    )


def backtest_of(
    specification: Specification,
    stretch: Stretch,
    signals: Signals,
    *,
    detail: Candles | None = None,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Backtest:
    """Return what *specification* comes to with *signals*, which the strategy gave on *stretch*.

    For whoever has the signals already: specifications that differ in rules alone share them.
    """
    costs = specification.costs()
    minutes = detail if detail is not None and len(detail) else None
    run = partial(
        simulate,
        stretch.candles,
        signals,
        specification.rules(),
        costs,
        capital=money.float_of(specification.capital),
        trade_from_ms=stretch.trade_from_ms,
        funding=funding_of(specification, stretch.candles.open_time),
        detail=minutes,
    )
    result = run(progress=progress, should_stop=should_stop)
    kind = run(kindly=True) if result.ambiguous_bars else None
    metrics = compute_metrics(result, stretch.candles, costs, timeframe=specification.timeframe)
    return Backtest(specification, stretch, result, metrics, minutes, kind)


def told_of(
    specification: Specification,
    result: SimulationResult | PortfolioResult,
    kind: SimulationResult | PortfolioResult | None,
) -> dict[str, Any]:
    """Return decisions, bars that left something open, the better end of the interval and warnings.

    *kind* is what came of the better order inside those bars, None if there were none.
    """
    better = kind or result
    return {
        "decisions": {reason.value: count for reason, count in result.reason_counts().items()},
        "cautions": [*map(str, specification.definition.cautions(specification.params))],
        "ambiguous_bars": result.ambiguous_bars,
        "optimistic": {
            "final_equity": better.final_equity,
            "total_return": better.final_equity / better.capital - 1,
        },
    }
