"""The compiled engine, loaded before anybody waits for it."""

import numpy as np

from backtesting.engine.portfolio import simulate_portfolio
from backtesting.engine.simulation import simulate
from backtesting.engine.tallies import tally
from market.candles import Candles
from market.costs import Costs
from market.timeframes import Timeframe
from strategies.rules import Rules, SizingMode
from strategies.signals import Signals
from strategies.views import UniverseView


def preload() -> None:
    """Load the compiled functions, so that the first run takes no longer than the others."""
    from market.kernel.compiling import one_compiler  # noqa: PLC0415 - the compiler loads with it

    candles = Candles.from_rows([(i * 60_000, 1.0, 1.0, 1.0, 1.0, 1.0) for i in range(3)])
    times, *prices = candles.columns()
    # More than one market, as in any run that the other function is for.
    universe = UniverseView(
        ("A", "B"), Timeframe.M1, times, *(np.stack([column, column]) for column in prices)
    )
    costs = Costs(0, 0, 0, 0, tick_size=1, lot_step=1, minimum_notional=0)
    rules = Rules(1.0, 1.0, SizingMode.FIXED_BASE, 1.0)
    with one_compiler():
        says = np.ones(3, dtype=np.bool_)
        signals = Signals(says, ~says, ~says, ~says, says)
        simulate(candles, signals, rules, costs, capital=9.0, trade_from_ms=0)
        first = np.zeros(1, dtype=np.int64)
        tally(candles, signals, [rules], costs, capital=9.0, starts=first, ends=first)
        both = np.ones((2, 3), dtype=np.bool_)
        signals = Signals(both, ~both, ~both, ~both, both)
        simulate_portfolio(universe, signals, rules, [costs] * 2, capital=9.0, trade_from_ms=0)
