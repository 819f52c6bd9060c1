"""The compiled engine, loaded before anybody waits for it."""

import numpy as np

from backtesting.engine.simulation import simulate
from backtesting.engine.tallies import tally
from market.candles import Candles
from market.costs import Costs
from strategies.rules import Rules, SizingMode
from strategies.signals import Signals


def preload() -> None:
    """Load the compiled functions, so that the first run takes no longer than the others."""
    from market.kernel.compiling import one_compiler  # noqa: PLC0415 - the compiler loads with it

    candles = Candles.from_rows([(i * 60_000, 1.0, 1.0, 1.0, 1.0, 1.0) for i in range(3)])
    says = np.ones(3, dtype=np.bool_)
    costs = Costs(0, 0, 0, 0, tick_size=1, lot_step=1, minimum_notional=0)
    rules = Rules(1.0, 1.0, SizingMode.FIXED_BASE, 1.0)
    with one_compiler():
        signals = Signals(says, ~says, ~says, ~says, says)
        simulate(candles, signals, rules, costs, capital=9.0, trade_from_ms=0)
        first = np.zeros(1, dtype=np.int64)
        tally(candles, signals, [rules], costs, capital=9.0, starts=first, ends=first)
