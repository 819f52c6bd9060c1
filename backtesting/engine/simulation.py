"""A run: signals over recorded bars, by the compiled functions that also trade live."""

import hashlib
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.engine.columns import bars_of, detail_columns, entry_columns, or_empty
from backtesting.engine.results import SimulationResult
from market.candles import Candles
from market.costs import Costs, costs_record
from market.kernel.records import FILL
from strategies.decide import rules_record
from strategies.reasons import ReasonCode, number_of
from strategies.rules import Rules
from strategies.signals import Signals
from strategies.state import PositionState

#: Raised whenever the same input may give another result; part of what identifies a stored run.
ENGINE_VERSION: Final = "2"

#: Bars between two reports of progress: a millisecond or so.
_BARS_AT_ONCE: Final = 100_000

_NOTHING: Final = np.empty(0)


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
    funding: NDArray[np.float64] | None = None,
    detail: Candles | None = None,
    kindly: bool = False,
    state: PositionState | None = None,
    sleeps: bool = True,
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
    funding
        What funding at each bar's open costs a long position, as a fraction of notional, ``(n,)``.
    detail
        Bars of a shorter timeframe: where they are there, orders inside a bar meet them in its
        place.
    kindly
        Assume the better order inside each bar instead of the worse one.
    state
        What an earlier run over the bars before has left, to go on from.
    sleeps
        Whether to jump over bars on which nothing can happen; the result is the same.
    progress, should_stop
        Called every 100,000 bars, with the fraction done, and to ask whether to raise
        SimulationStopped.
    """
    from backtesting.engine import fold, roundtrips  # noqa: PLC0415 - the compiler loads with them
    from strategies.kernel import DESK  # noqa: PLC0415 - as above

    _check(candles, signals, capital)
    count = len(candles)
    record = (state or PositionState.fresh(capital)).to_record()
    rates = _NOTHING if funding is None else funding
    says = fold.pack(
        signals.enter_long,
        signals.enter_short,
        signals.exit_long,
        signals.exit_short,
        signals.ready,
        or_empty(signals.flatten, np.bool_),
        or_empty(signals.arm_exit, np.bool_),
        rates,
    )
    bars, desk = bars_of(candles), np.zeros(1, dtype=DESK)
    marks = fold.marks_of(says)
    equity = np.empty(count, dtype=np.float64)
    reasons = np.empty(count, dtype=np.uint8)
    fills, filled = np.empty(256, dtype=FILL), 0
    fixed = (
        rules_record(rules),
        costs_record(costs),
        trade_from_ms,
        number_of(ReasonCode.WARMING_UP),
    )
    entries, minutes = entry_columns(signals), detail_columns(candles, detail)
    for first in range(0, count, _BARS_AT_ONCE):
        _report(first / count, progress, should_stop)
        fills, filled = fold.run(
            record,
            desk,
            bars,
            rates,
            says,
            marks,
            entries,
            *fixed,
            kindly,
            sleeps,
            minutes,
            first,
            min(first + _BARS_AT_ONCE, count),
            equity,
            reasons,
            fills,
            filled,
        )
    _report(1.0, progress, None)
    fills = fills[:filled]
    return SimulationResult(
        trade_columns=roundtrips.gather(fills, bars, rates, costs.tick_size, costs.lot_step, True),
        fill_columns=fills,
        reasons=reasons,
        equity=equity,
        start_index=int(np.searchsorted(candles.open_time, trade_from_ms)),
        state=PositionState.of_record(record),
        capital=capital,
        last_close=float(candles.close[-1]) if count else 0.0,
        lots_before=0 if state is None else state.lots,
    )


def data_fingerprint(*parts: Candles) -> str:
    """Return the SHA-256 (hex) of candles: for each part their number and columns, little-endian."""
    digest = hashlib.sha256()
    for candles in parts:
        digest.update(len(candles).to_bytes(8, "little"))
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
    if progress is not None:
        progress(done)
    if should_stop is not None and should_stop():
        raise SimulationStopped
