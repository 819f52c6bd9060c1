"""How fast the engine computes: bars and combinations a second, the first run of a process, memory.

Figures are printed and never compared with a limit: they are the machine's as much as ours.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from backtesting.engine import simulate
from backtesting.engine.portfolio import simulate_portfolio
from backtesting.metrics import compute_metrics
from market.candles import Candles
from market.costs import Costs
from market.enums import InstrumentKind
from market.timeframes import MINUTE_MS, Timeframe
from strategies.causality import generated_candles
from strategies.definitions import ema_crossover
from strategies.registry import get_definition
from strategies.rules import Rules, SizingMode
from strategies.signals import Signals
from strategies.views import MarketView, UniverseView

ROOT = Path(__file__).resolve().parents[2]
COSTS = Costs(
    maker_fee_bps=10,
    taker_fee_bps=10,
    slippage_bps=0,
    spread_bps=0,
    tick_size=0.01,
    lot_step=0.00001,
    minimum_notional=5,
)
EMA = get_definition("ema-crossover")
PARAMS = ema_crossover.Params(short_ema_period=12, long_ema_period=26)
RULES = replace(
    EMA.rules(PARAMS).for_market(InstrumentKind.SPOT, Timeframe.M1),
    stop_percent=0,
    target_percent=0,
    sizing=SizingMode.FIXED_BASE,
    size=1,
)

FIRST_RUN = """
import time
start = time.perf_counter()
from tests.benchmarks import test_engine
test_engine.one_run(test_engine.minutes(8_760))
print(time.perf_counter() - start)
"""


def minutes(bars: int) -> Candles:
    """Return a random walk that moves as much in a minute as BTC does, in whole cents."""
    random = np.random.default_rng(42)
    close = np.round(30_000 * np.exp(np.cumsum(random.normal(0, 0.0006, bars))), 2)
    opens = np.concatenate([[30_000.0], close[:-1]])
    high = np.round(np.maximum(opens, close) * 1.0002, 2)
    low = np.round(np.minimum(opens, close) * 0.9998, 2)
    times = np.arange(bars, dtype=np.int64) * MINUTE_MS
    return Candles(times, opens, high, low, close, np.ones(bars))


def one_run(candles):
    """Return the figures of one run over *candles*, from closes to metrics."""
    signals = EMA.signals(MarketView(candles, Timeframe.M1), PARAMS)
    result = simulate(candles, signals, RULES, COSTS, capital=1e6, trade_from_ms=0)
    return compute_metrics(result, candles, COSTS, timeframe=Timeframe.M1)


def best_of(times: int, work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of several goes."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)


def test_fifty_symbols_in_one_wallet():
    markets = [generated_candles(8_760, seed=seed) for seed in range(50)]
    opens, high, low, close, volume = (
        np.stack([getattr(each, name) for each in markets])
        for name in ("open", "high", "low", "close", "volume")
    )
    names = tuple(f"S{number}/USDT" for number in range(50))
    view = UniverseView(names, Timeframe.H1, markets[0].open_time, opens, high, low, close, volume)
    random = np.random.default_rng(1)
    enters, exits = (random.random(close.shape) < 0.02 for _ in range(2))
    nothing = np.zeros(close.shape, dtype=np.bool_)
    signals = Signals(enters, nothing, exits, nothing, ~nothing)
    rules = Rules(5.0, 10.0, SizingMode.NOTIONAL, 5.0, max_open_positions=20)

    def work():
        return simulate_portfolio(view, signals, rules, [COSTS] * 50, capital=1e6, trade_from_ms=0)

    work()
    spent = best_of(5, work)

    print(f"\n50 symbols x 8,760 bars in one wallet: {spent * 1e3:.0f} ms")


def test_the_first_run_of_a_process():
    command = [sys.executable, "-c", FIRST_RUN]
    spent = [
        float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]

    print(f"\nfirst run of a fresh process, kernels on disk: {min(spent):.2f} s with imports")


def test_the_memory_of_a_year_of_minutes():
    # The kernel's own word on this process: what getrusage tells begins with the peak of the parent.
    script = (
        "import re\n"
        "from tests.benchmarks import test_engine\n"
        "test_engine.one_run(test_engine.minutes(525_600))\n"
        "told = open('/proc/self/status').read()\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', told)[1]) / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    print(f"\npeak memory of 525,600 bars: {float(done.stdout):.0f} MB")
