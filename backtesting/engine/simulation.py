"""The fold: each bar meets the orders that wait for it, then its close is decided upon."""

import hashlib
from collections.abc import Callable
from typing import Final

import numpy as np

from backtesting.engine.results import SimulationResult
from backtesting.engine.roundtrips import RoundTrips
from market.candles import Candles
from market.costs import Costs
from market.matching import Bar, match
from market.orders import KernelFill
from strategies.decide import after_match, decide
from strategies.reasons import ReasonCode
from strategies.rules import Rules
from strategies.signals import Signals
from strategies.state import PositionState

#: Raised whenever the same input may give another result; part of what identifies a stored run.
ENGINE_VERSION: Final = "1"

_REPORTS: Final = 100


class SimulationStopped(Exception):
    """The caller asked the simulation to stop before its end; there is no result."""


def simulate(
    candles: Candles,
    signals: Signals,
    rules: Rules,
    costs: Costs,
    *,
    capital: float,
    trade_from_ms: int,
    progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> SimulationResult:
    """Return what trading *signals* over *candles* would have come to.

    Parameters
    ----------
    candles, signals
        Of the same length; bars before *trade_from_ms* are warm-up, on which no position is opened.
    rules
        As the market permits them: see ``Rules.for_market``.
    capital
        Allocated amount in quote, more than 0.
    trade_from_ms
        Open time (ms UTC) of the first bar at whose close a position may be decided; it opens at
        the next bar's open.
    progress, should_stop
        Called about a hundred times, with the fraction done, and to ask whether to raise
        SimulationStopped.
    """
    _check(candles, signals, capital)
    count = len(candles)
    stride = max(count // _REPORTS, 1)
    state = PositionState.fresh(capital)
    trips = RoundTrips(costs)
    fills: list[KernelFill] = []
    reasons: list[ReasonCode] = []
    cash = np.empty(count, dtype=np.float64)
    lots = np.empty(count, dtype=np.int64)

    bars = (Bar(*row) for row in candles.rows())
    for index, (bar, signal) in enumerate(zip(bars, signals.rows(), strict=True)):
        if index % stride == 0:
            _report(index / count, progress, should_stop)
        matched = match(state.working, bar, costs)
        if state.working:
            state = after_match(state, matched, costs)
            fills.extend(matched.fills)
        trips.pass_bar(index, bar, matched.fills)
        early = ReasonCode.WARMING_UP if bar.open_time < trade_from_ms else None
        decision = decide(state, signal, bar, rules, costs, no_entry=early)
        state = decision.state
        reasons.append(decision.reason)
        cash[index] = state.cash
        lots[index] = state.lots

    _report(1.0, progress, None)
    return SimulationResult(
        trades=trips.finish(candles),
        fills=tuple(fills),
        reasons=tuple(reasons),
        equity=cash + lots * costs.lot_step * candles.close,
        position=lots,
        start_index=int(np.searchsorted(candles.open_time, trade_from_ms)),
        state=state,
        capital=capital,
    )


def data_fingerprint(candles: Candles) -> str:
    """Return the SHA-256 (hex) of the candles: their number, then the columns, little-endian."""
    digest = hashlib.sha256(len(candles).to_bytes(8, "little"))
    for column in candles.columns():
        little = column.dtype.newbyteorder("<")
        digest.update(np.ascontiguousarray(column, dtype=little).tobytes())
    return digest.hexdigest()


def _check(candles: Candles, signals: Signals, capital: float) -> None:
    if len(candles) != len(signals):
        raise ValueError(f"{len(candles)} bars need as many signals, not {len(signals)}.")
    if not capital > 0:
        raise ValueError(f"The capital must be more than 0, not {capital}.")


def _report(
    done: float,
    progress: Callable[[float], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    if should_stop is not None and should_stop():
        raise SimulationStopped
    if progress is not None:
        progress(done)
