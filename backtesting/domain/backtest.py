"""One specification and its bars turned into a result: the only way in which a run is computed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.curves import EquityCurve
from backtesting.domain.specification import Specification
from backtesting.domain.windows import Stretch, stretch_of
from backtesting.engine import SimulationResult, TradeRow, data_fingerprint, simulate
from backtesting.metrics import Metrics, compute_metrics
from market import money
from market.candles import Candles
from market.timeframes import HOUR_MS, from_milliseconds
from strategies.signals import Signals
from strategies.views import MarketView

_FUNDING_MS: Final = 8 * HOUR_MS


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
        counts = {reason.value: count for reason, count in self.result.reason_counts().items()}
        kind = self.kind_result or self.result
        return {
            **self.metrics.to_json(),
            "decisions": counts,
            "ambiguous_bars": self.result.ambiguous_bars,
            "optimistic": {
                "final_equity": kind.final_equity,
                "total_return": kind.final_equity / kind.capital - 1,
            },
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
        funding=_funding(specification, stretch),
        detail=minutes,
    )
    result = run(progress=progress, should_stop=should_stop)
    kind = run(kindly=True) if result.ambiguous_bars else None
    metrics = compute_metrics(result, stretch.candles, costs, timeframe=specification.timeframe)
    return Backtest(specification, stretch, result, metrics, minutes, kind)


def _funding(specification: Specification, stretch: Stretch) -> NDArray[np.float64] | None:
    """Return what each bar's payments of funding cost a long position, as fractions of notional.

    They are due at 0, 8 and 16 o'clock UTC; a bar that lasts longer than eight hours pays for all
    of its instants when it opens.
    """
    rate = specification.funding_rate
    if not rate:
        return None
    opens = stretch.candles.open_time
    # Instants up to just before a time, so that one at the open itself counts for the bar.
    before = -(-opens // _FUNDING_MS)
    after = -(-(opens + specification.timeframe.milliseconds) // _FUNDING_MS)
    return np.asarray((after - before) * rate, dtype=np.float64)
