"""A run over many markets from one wallet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtesting.engine.results import SimulationResult, Trade
from backtesting.engine.simulation import SimulationStopped
from backtesting.engine.wallets import WalletState
from market.costs import Costs, costs_record
from market.kernel.records import FILL
from strategies.decide import rules_record
from strategies.reasons import CODES, ReasonCode, number_of
from strategies.rules import Rules
from strategies.signals import Signals
from strategies.state import PositionState
from strategies.views import UniverseView

#: Bars of all markets together between two reports of progress.
_BARS_AT_ONCE: Final = 100_000


@dataclass(frozen=True, eq=False)
class PortfolioResult:
    """Everything that a run over many markets came to.

    ``of_market`` has a result for each symbol, in the order of ``symbols``: its trades and fills,
    its position, and as ``equity`` the capital with its own gains and losses alone. ``equity`` is
    the wallet's (quote, marked at each close), ``gross`` and ``net`` the worth of all positions
    without and with their sign, ``held`` how many are open: all of shape ``(n,)``. ``start_index``
    is the first bar at which a position could be decided; ``state`` is what the bars after it need.
    """

    symbols: tuple[str, ...]
    of_market: tuple[SimulationResult, ...]
    present: NDArray[np.bool_]
    equity: NDArray[np.float64]
    gross: NDArray[np.float64]
    net: NDArray[np.float64]
    held: NDArray[np.int64]
    start_index: int
    capital: float
    state: WalletState

    @cached_property
    def trades(self) -> tuple[tuple[str, Trade], ...]:
        """The round trips of all markets with their symbols, by the bar of their entry."""
        every = [
            (symbol, trade)
            for symbol, result in zip(self.symbols, self.of_market, strict=True)
            for trade in result.trades
        ]
        return tuple(sorted(every, key=lambda each: (each[1].entry_open_ms, each[0])))

    @property
    def final_equity(self) -> float:
        """Equity at the last close; the capital if there was no bar."""
        return float(self.equity[-1]) if len(self.equity) else self.capital

    @property
    def ambiguous_bars(self) -> int:
        """In how many bars of a market something mattered that the bar does not say."""
        return sum(result.ambiguous_bars for result in self.of_market)

    def reason_counts(self) -> dict[ReasonCode, int]:
        """Return how often each decision was made from ``start_index`` on, most frequent first."""
        counts = np.zeros(len(CODES), dtype=np.int64)
        for there, result in zip(self.present, self.of_market, strict=True):
            made = result.reasons[self.start_index :][there[self.start_index :]]
            counts += np.bincount(made, minlength=len(CODES))
        order = np.argsort(-counts, kind="stable")
        return {CODES[number]: int(counts[number]) for number in order if counts[number]}


def simulate_portfolio(
    view: UniverseView,
    signals: Signals,
    rules: Rules,
    costs: Sequence[Costs],
    *,
    capital: float,
    trade_from_ms: int,
    funding: NDArray[np.float64] | None = None,
    kindly: bool = False,
    state: WalletState | None = None,
    goes_on: NDArray[np.bool_] | None = None,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> PortfolioResult:
    """Return what trading *signals* over all markets of *view* from one wallet would have come to.

    Parameters
    ----------
    view, signals
        Of the same shape ``(symbols, n)``; bars before *trade_from_ms* are warm-up.
    rules
        As the markets permit them: see ``Rules.for_market``; they are all of one kind.
    costs
        Of each symbol.
    capital
        What is in the wallet at first, in the currency that all of them settle in; more than 0.
    trade_from_ms
        Open time (ms UTC) of the first bar at whose close a position may be decided.
    funding
        What funding at each bar's open costs a long position, as a fraction of notional,
        ``(symbols, n)``.
    kindly
        Assume the better order inside each bar instead of the worse one.
    state
        What an earlier run over the bars before has left, to go on from.
    goes_on
        Of each market, whether it has bars behind those of *view*; of the others, and of all
        without it, the last bar is the last one ever, after which what is held is sold.
    progress, should_stop
        Called every 100,000 bars, with the fraction done, and to ask whether to raise
        SimulationStopped.
    """
    from backtesting.engine import portfolio_fold  # noqa: PLC0415 - the compiler loads with it

    _check(view, signals, costs, capital)
    shape = view.close.shape
    count = shape[1]
    begun = state or WalletState.fresh(capital, shape[0])
    states = np.concatenate([each.to_record() for each in begun.markets])
    market = market_columns(view, funding, begun.closes, goes_on)
    said = said_columns(signals)
    priced = np.concatenate([costs_record(each) for each in costs])
    ruled = rules_record(rules)
    wanted = np.array(begun.wanted)
    cash = np.zeros(shape)
    lots = np.zeros(shape, dtype=np.int64)
    idle = (number_of(ReasonCode.NO_SIGNAL), number_of(ReasonCode.WARMING_UP))
    reasons = np.where(signals.ready, *idle).astype(np.uint8)
    entering = entering_markets(signals, market[6])
    fills, owners, filled = np.zeros(256, dtype=FILL), np.zeros(256, dtype=np.int64), 0
    stride = max(_BARS_AT_ONCE // shape[0], 1)
    for first in range(0, count, stride):
        _report(first / count, progress, should_stop)
        fills, owners, filled = portfolio_fold.run(
            states,
            wanted,
            market,
            said,
            entering,
            ruled,
            priced,
            trade_from_ms,
            number_of(ReasonCode.WARMING_UP),
            kindly,
            capital,
            first,
            min(first + stride, count),
            cash,
            lots,
            reasons,
            fills,
            owners,
            filled,
        )
    _report(1.0, progress, None)
    start_index = int(np.searchsorted(view.open_time, trade_from_ms))
    of_market = _results(
        begun.markets, market, costs, fills[:filled], owners[:filled], states, cash, lots, reasons,
        start_index,
    )  # fmt: skip
    quantity = lots * np.array([[each.lot_step] for each in costs])
    worth = quantity * market[4]
    return PortfolioResult(
        symbols=view.symbols,
        of_market=of_market,
        present=market[6],
        equity=capital + (cash + worth).sum(axis=0),
        gross=np.abs(worth).sum(axis=0),
        net=worth.sum(axis=0),
        held=np.count_nonzero(lots, axis=0),
        start_index=start_index,
        capital=capital,
        state=WalletState(
            tuple(result.state for result in of_market),
            tuple(wanted.tolist()),
            tuple(market[4][:, -1].tolist()) if count else begun.closes,
        ),
    )


def _results(
    begun: Sequence[PositionState],
    market: tuple[NDArray[Any], ...],
    costs: Sequence[Costs],
    fills: NDArray[np.void],
    owners: NDArray[np.int64],
    states: NDArray[np.void],
    cash: NDArray[np.float64],
    lots: NDArray[np.int64],
    reasons: NDArray[np.uint8],
    start_index: int,
) -> tuple[SimulationResult, ...]:
    from backtesting.engine import fold, roundtrips  # noqa: PLC0415 - the compiler loads with them

    times, opens, highs, lows, closes, funding, _, _ = market
    found = []
    for row, own in enumerate(costs):
        mine = fills[owners == row]
        state = PositionState.of_record(states[row : row + 1])
        found.append(
            SimulationResult(
                trade_columns=roundtrips.gather(
                    mine,
                    (times, opens[row], highs[row], lows[row], closes[row]),
                    funding[row],
                    own.tick_size,
                    own.lot_step,
                    True,
                ),
                fill_columns=mine,
                reasons=reasons[row],
                equity=state.capital
                + fold.equity_curve(cash[row], lots[row], closes[row], own.lot_step),
                start_index=start_index,
                state=state,
                capital=state.capital,
                last_close=float(closes[row, -1]) if closes.shape[1] else 0.0,
                lots_before=begun[row].lots,
            )
        )
    return tuple(found)


def market_columns(
    view: UniverseView,
    funding: NDArray[np.float64] | None,
    closes_before: Sequence[float],
    goes_on: NDArray[np.bool_] | None,
) -> tuple[NDArray[Any], ...]:
    """Return the columns that the fold reads; where there is no bar, the last close before, or 0."""
    present = ~np.isnan(view.close)
    bars = np.where(present, np.arange(view.close.shape[1]), -1)
    if bars.size:
        np.maximum.accumulate(bars, axis=1, out=bars)
    known = np.take_along_axis(view.close, np.maximum(bars, 0), axis=1)
    known = np.where(bars < 0, np.array(closes_before)[:, np.newaxis], known)
    opens, highs, lows = (
        np.where(present, column, known) for column in (view.open, view.high, view.low)
    )
    last_bars = bars[:, -1].copy() if bars.size else np.zeros(len(bars), dtype=np.int64)
    if goes_on is not None:
        last_bars[goes_on] = bars.shape[1]
    rates = np.empty((len(bars), 0)) if funding is None else np.ascontiguousarray(funding)
    return (view.open_time, opens, highs, lows, known, rates, present, last_bars)


def said_columns(signals: Signals) -> tuple[NDArray[Any], ...]:
    """Return what strategies say as the fold reads it; see ``portfolio_fold.run``."""
    from backtesting.engine import fold  # noqa: PLC0415 - the compiler loads with it

    nothing = np.empty(0)
    says = np.empty(signals.ready.shape, dtype=np.uint8)
    for row in range(len(says)):
        own = signals.of_symbol(row)
        says[row] = fold.pack(
            np.ascontiguousarray(own.enter_long),
            np.ascontiguousarray(own.enter_short),
            np.ascontiguousarray(own.exit_long),
            np.ascontiguousarray(own.exit_short),
            np.ascontiguousarray(own.ready),
            _or_empty(own.flatten, np.bool_, (0,)),
            _or_empty(own.arm_exit, np.bool_, (0,)),
            nothing,
        )
    none = (len(says), 0)
    return (
        says,
        _or_empty(signals.entry_kind, np.int8, none),
        _or_empty(signals.entry_price, np.float64, none),
        _or_empty(signals.entry_bars, np.int32, none),
        _or_empty(signals.stop_price, np.float64, none),
        _or_empty(signals.target_price, np.float64, none),
        _or_empty(signals.session, np.int64, none),
        _or_empty(signals.score, np.float64, none),
    )


def entering_markets(
    signals: Signals, present: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each bar's part begins in the list of markets that enter, and that list."""
    enters = present & signals.ready & (signals.enter_long | signals.enter_short)
    bars, markets = np.nonzero(enters.T)
    begins = np.searchsorted(bars, np.arange(enters.shape[1] + 1))
    return begins.astype(np.int64), markets.astype(np.int64)


def _or_empty(column: NDArray[Any] | None, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return *column* with one layout for all callers, so that one compiled function serves all."""
    if column is None:
        return np.empty(shape, dtype=dtype)
    return np.ascontiguousarray(column, dtype=dtype)


def _check(view: UniverseView, signals: Signals, costs: Sequence[Costs], capital: float) -> None:
    if signals.ready.shape != view.close.shape:
        raise ValueError(
            f"Bars of shape {view.close.shape} need as many signals, not {signals.ready.shape}."
        )
    if len(costs) != len(view.symbols):
        raise ValueError(f"{len(view.symbols)} markets need as many costs, not {len(costs)}.")
    if not capital > 0:
        raise ValueError(f"The capital must be more than 0, not {capital}.")


def _report(
    done: float,
    progress: Callable[[float], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    if progress is not None:
        progress(done)
    if should_stop is not None and should_stop():
        raise SimulationStopped
