"""A run over many markets turned into a result: one wallet, its exposure, and what moved together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtesting.domain.backtest import Backtest, told_of
from backtesting.domain.curves import EquityCurve, ExposureCurve
from backtesting.domain.funding import funding_of
from backtesting.domain.specification import Specification
from backtesting.domain.universes import UniverseStretch, universe_fingerprint, universe_stretch
from backtesting.engine import PortfolioResult, TradeRow, simulate_portfolio
from backtesting.metrics import Metrics
from backtesting.metrics.columns import TradeColumns
from backtesting.metrics.summary import Course, measure
from market import money
from market.costs import Costs
from market.timeframes import from_milliseconds
from strategies.signals import Signals
from strategies.views import UniverseView

#: Correlations are shown of no more markets, those that were traded most.
MAXIMUM_CORRELATED: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class PortfolioBacktest:
    """A computed run over many markets: its bars, what happened, and what it was worth.

    ``kind_result`` is what it would have come to with the better order inside each bar that did not
    say; None if it mattered nowhere.
    """

    specification: Specification
    stretch: UniverseStretch
    result: PortfolioResult
    metrics: Metrics
    kind_result: PortfolioResult | None = None

    @property
    def effective_from_at(self) -> datetime:
        """Open time of the first bar at whose close a position could be decided."""
        return from_milliseconds(self.stretch.trade_from_ms)

    @property
    def bar_count(self) -> int:
        """On how many instants of its time grid it could trade."""
        return len(self.stretch.view) - self.stretch.start_index

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of the bars of all markets, warm-up included."""
        return universe_fingerprint(self.stretch.view)

    def trades(self) -> tuple[TradeRow, ...]:
        """Return the trades of all markets in decimals, by the bar of their entry."""
        every = [
            replace(row, symbol=terms.symbol)
            for terms, result in zip(self.specification.markets, self.result.of_market, strict=True)
            for row in result.to_trades(tick=terms.tick_size, step=terms.lot_step)
        ]
        ordered = sorted(every, key=lambda row: (row.entry_at, row.symbol, row.number))
        return tuple(replace(row, number=number) for number, row in enumerate(ordered, start=1))

    def metrics_json(self) -> dict[str, Any]:
        """Return the metrics, the decisions and what concerns the universe, as plain values."""
        return {
            **self.metrics.to_json(),
            **told_of(self.specification, self.result, self.kind_result),
            "universe": self._universe_json(),
        }

    def curve(self) -> EquityCurve:
        """Return equity and an equal part of each market held, from the effective start on."""
        start, view = self.stretch.start_index, self.stretch.view
        capital = self.result.capital
        return EquityCurve(
            close_time=self.specification.timeframe.closes_of(view.open_time[start:]),
            equity=self.result.equity[start:],
            buy_and_hold=capital * basket_of(view, start),
            capital=capital,
        )

    def exposure(self) -> ExposureCurve:
        """Return what was at stake after each bar from the effective start on."""
        start, result = self.stretch.start_index, self.result
        equity = np.maximum(result.equity[start:], np.finfo(np.float64).tiny)
        return ExposureCurve(
            gross=result.gross[start:] / equity,
            net=result.net[start:] / equity,
            positions=result.held[start:],
        )

    def _universe_json(self) -> dict[str, Any]:
        start, result = self.stretch.start_index, self.result
        exposure = self.exposure()
        markets = []
        for symbol, one in zip(result.symbols, result.of_market, strict=True):
            closed = [trade for trade in one.trades if not trade.is_open]
            won = sum(trade.pnl > 0 for trade in closed)
            markets.append(
                {
                    "symbol": symbol,
                    "trades": len(closed),
                    "win_rate": won / len(closed) if closed else None,
                    "pnl": float(one.final_equity - one.capital),
                    "exposure": float(np.mean(one.position[start:] != 0)),
                    "bars": int(
                        np.count_nonzero(result.present[result.symbols.index(symbol), start:])
                    ),
                }
            )
        traded = sorted(
            (row for row, one in enumerate(result.of_market) if len(one.trade_columns)),
            key=lambda row: -len(result.of_market[row].trade_columns),
        )
        shown = sorted(traded[:MAXIMUM_CORRELATED])
        matrix = correlations(self.stretch.view.close[shown, start:])
        return {
            "markets": markets,
            "correlation": {
                "symbols": [result.symbols[row] for row in shown],
                "matrix": [[_plain(value) for value in line] for line in matrix.tolist()],
                "average": _average(matrix),
            },
            "most_positions": int(exposure.positions.max(initial=0)),
            "average_positions": float(exposure.positions.mean()) if len(exposure) else 0.0,
            "most_gross": float(exposure.gross.max(initial=0.0)),
            "average_gross": float(exposure.gross.mean()) if len(exposure) else 0.0,
        }


AnyBacktest = Backtest | PortfolioBacktest


def run_portfolio(
    specification: Specification,
    universe: UniverseView,
    *,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> PortfolioBacktest:
    """Return what *specification* comes to on *universe*, which covers its window and warm-up.

    Pure: the same arguments give the same bytes. *progress* and *should_stop* as for
    ``simulate_portfolio``; raises NoCandlesError or WindowTooShortError for too few bars.
    """
    stretch = universe_stretch(
        universe, specification.window, warm_up_bars=specification.warm_up_bars
    )
    signals = specification.definition.signals(stretch.view, specification.params)
    return portfolio_of(specification, stretch, signals, progress=progress, should_stop=should_stop)


def portfolio_of(
    specification: Specification,
    stretch: UniverseStretch,
    signals: Signals,
    *,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> PortfolioBacktest:
    """Return what *specification* comes to with *signals*, which the strategy gave on *stretch*.

    For whoever has the signals already: specifications that differ in rules alone share them.
    """
    costs = [specification.costs(terms) for terms in specification.markets]
    run = partial(
        simulate_portfolio,
        stretch.view,
        signals,
        specification.rules(),
        costs,
        capital=money.float_of(specification.capital),
        trade_from_ms=stretch.trade_from_ms,
        funding=_funding(specification, stretch.view),
    )
    result = run(progress=progress, should_stop=should_stop)
    kind = run(kindly=True) if result.ambiguous_bars else None
    metrics = _metrics(specification, stretch, result, costs)
    return PortfolioBacktest(specification, stretch, result, metrics, kind)


def _funding(specification: Specification, view: UniverseView) -> NDArray[np.float64] | None:
    """Return the rates of each market, 0 at bars that it does not have."""
    rates = funding_of(specification, view.open_time)
    return None if rates is None else np.where(np.isnan(view.close), 0.0, rates)


def _metrics(
    specification: Specification,
    stretch: UniverseStretch,
    result: PortfolioResult,
    costs: Sequence[Costs],
) -> Metrics:
    start = stretch.start_index
    open_time = stretch.view.open_time[start:]
    course = Course(
        timeframe=specification.timeframe,
        open_time=open_time,
        equity=result.equity[start:],
        market=basket_of(stretch.view, start),
        first_price=1.0,
        capital=result.capital,
        bars_invested=int(np.count_nonzero(result.held[start:])),
        end_ms=specification.timeframe.close_of(int(open_time[-1])),
    )
    columns = [
        TradeColumns.from_records(one.trade_columns, one.fill_columns, own)
        for one, own in zip(result.of_market, costs, strict=True)
    ]
    ends = np.concatenate([one.trade_columns["exit_open_ms"] for one in result.of_market])
    return measure(course, _joined(columns, np.argsort(ends, kind="stable")))


def basket_of(view: UniverseView, start: int) -> NDArray[np.float64]:
    """Return what 1 becomes that is put at the open of bar *start* in equal parts on each market.

    On those that have a bar then; one that is delisted keeps its last price.
    """
    there = ~np.isnan(view.open[:, start])
    close = view.close[there, start:]
    bars = np.where(np.isnan(close), 0, np.arange(close.shape[1]))
    known = np.take_along_axis(close, np.maximum.accumulate(bars, axis=1), axis=1)
    grown: NDArray[np.float64] = (known / view.open[there, start : start + 1]).mean(axis=0)
    return grown


def correlations(closes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's correlation of the returns of each pair of rows, NaN where undefined.

    *closes* has shape ``(markets, n)``, NaN where a market has no bar; each pair is compared over
    the bars at which both have a return.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = closes[:, 1:] / closes[:, :-1] - 1
        both = np.isfinite(returns).astype(np.float64)
        known = np.where(both > 0, returns, 0.0)
        pairs = both @ both.T
        mean = (known @ both.T) / pairs
        variance = ((known * known) @ both.T) / pairs - mean * mean
        covariance = (known @ known.T) / pairs - mean * mean.T
        found: NDArray[np.float64] = covariance / np.sqrt(variance * variance.T)
    return np.clip(found, -1.0, 1.0)


def _average(matrix: NDArray[np.float64]) -> float | None:
    above = matrix[np.triu_indices(len(matrix), k=1)]
    above = above[np.isfinite(above)]
    return float(above.mean()) if len(above) else None


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _joined(columns: list[TradeColumns], order: NDArray[np.int64]) -> TradeColumns:
    return TradeColumns(
        **{
            each.name: np.concatenate([getattr(one, each.name) for one in columns])[order]
            for each in fields(TradeColumns)
        }
    )
