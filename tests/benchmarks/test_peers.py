"""The engine beside others at the same work, in the same session, and beside bare loops.

Figures are printed and never compared with a limit. What is compared is the work: everyone has to
come to the same equity. The others are there after `make bench-peers`; BENCH_PEERS names another
environment that has them. Bars are real ones where CANDLES_DIR names the larger set of candles.
"""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtesting.domain.objectives import FIGURES
from backtesting.domain.specification import Charges, Specification, Terms
from backtesting.domain.sweep import evaluate
from backtesting.domain.windows import Window
from backtesting.engine import simulate
from backtesting.metrics import compute_metrics
from market.candles import Candles
from market.enums import InstrumentKind
from market.timeframes import HOUR_MS, Timeframe
from strategies.shapes import Requirements
from strategies.views import MarketView
from tests.benchmarks.bare_loops import LoopInC, LoopInNumba
from tests.benchmarks.peers import workload
from tests.benchmarks.test_engine import COSTS, EMA, PARAMS, RULES, minutes
from tests.servers import candles as larger_set

HERE = Path(__file__).parent
ENVIRONMENT = Path(os.environ.get("BENCH_PEERS") or HERE.parents[1] / ".venv-bench")
SCRIPTS = {"vectorbt": "ask_vectorbt.py", "backtesting.py": "ask_backtesting.py"}
YEAR, MANY = 8_760, 10_000
#: A year of minutes is what the others may take for all of their work, and more.
PATIENCE_S = 1_200

pytestmark = pytest.mark.timeout(2 * PATIENCE_S)


@dataclass(frozen=True)
class Work:
    """Bars of each workload, what the others made of them, and the bare loops that are there."""

    bars: dict[str, Candles]
    others: dict[str, dict[str, Any]]
    loops: list[Any]


def hours(count):
    """Return the newest *count* real hours of BTC, or generated ones where none are at hand."""
    folder = larger_set()
    if folder is None:
        walk = minutes(count)
        return replace(walk, open_time=walk.open_time // 60_000 * HOUR_MS)
    from pyarrow import parquet  # noqa: PLC0415 - only where the larger set is

    table = parquet.read_table(folder / "binance" / "BTC-USDT" / "1h.parquet")
    names = ("timestamp", "open", "high", "low", "close", "volume")
    columns = (np.ascontiguousarray(table[name].to_numpy()[-count:]) for name in names)
    return Candles(*columns)


def ask(name, folder):
    """Return what another engine answers in its own process; {} where it is not installed."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        return {}
    command = [python, "-I", HERE / "peers" / SCRIPTS[name], folder]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=PATIENCE_S, cwd=folder
    )
    answered: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answered


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers")
    bars = {"million": minutes(1_000_000), "year": hours(YEAR), "many": hours(MANY)}
    names = ("open_time", "open", "high", "low", "close", "volume")
    for name, candles in bars.items():
        np.savez(folder / f"{name}.npz", **dict(zip(names, candles.columns(), strict=True)))
    others = {name: ask(name, folder) for name in SCRIPTS}
    loops = [
        loop
        for loop in (made(folder) for made in (LoopInC, lambda _: LoopInNumba()))
        if loop.is_there
    ]
    return Work(bars, {name: told for name, told in others.items() if told}, loops)


def columns_of(candles):
    return {"open": candles.open, "close": candles.close}


def compare(work, ours, key, unit, *, rate: Callable[[float], float], loops):
    """Print how *ours* (a rate) relates to the others' figures at *key*, and to *loops*."""
    for name, told in work.others.items():
        theirs = rate(told[key])
        line = f"{name} {told['version']}: {theirs:,.4g} {unit}, ours is {ours / theirs:,.1f} times"
        print(f"    {line} as fast")
    missing = [name for name in SCRIPTS if name not in work.others]
    if missing:
        print(f"    not installed, see `make bench-peers`: {', '.join(missing)}")
    for name, theirs in loops.items():
        print(f"    {name}: {theirs:,.4g} {unit}, ours has {ours / theirs:.0%} of it")


def one_run(candles, timeframe):
    """Return a simulation of ours, from closes to trades and equity."""
    signals = EMA.signals(MarketView(candles, timeframe), PARAMS)
    first = int(candles.open_time[workload.FIRST_BAR])
    return simulate(candles, signals, RULES, COSTS, capital=workload.CAPITAL, trade_from_ms=first)


def test_a_million_bars(work):
    candles = work.bars["million"]
    result, spent = workload.timed(lambda: one_run(candles, Timeframe.M1), 9)
    rates = {}
    for loop in work.loops:
        (equity, trades), seconds = workload.timed(
            lambda loop=loop: loop.run(columns_of(candles), workload.FAST, workload.SLOW), 9
        )
        rates[loop.name] = 1 / seconds
        assert equity == pytest.approx(result.final_equity, rel=1e-9)
        assert trades == sum(not trade.is_open for trade in result.trades)

    print(f"\n1,000,000 bars, indicators and simulation: {spent * 1e3:.2f} ms", end="")
    print(f" ({1 / spent:.1f} M bars/s, {len(result.trade_columns):,} trades)")
    compare(work, 1 / spent, "million_s", "M bars/s", rate=lambda s: 1 / s, loops=rates)
    for told in work.others.values():
        assert told["equity"] == pytest.approx(result.final_equity, rel=1e-9)


def test_a_year_of_hours_with_all_metrics(work):
    candles = work.bars["year"]

    def report():
        result = one_run(candles, Timeframe.H1)
        return result, compute_metrics(result, candles, COSTS, timeframe=Timeframe.H1)

    (result, metrics), spent = workload.timed(report, 40)

    print(f"\n8,760 bars with {len(metrics.values)} metrics, warm: {spent * 1e3:.2f} ms", end="")
    print(f" ({YEAR / spent / 1e6:.1f} M bars/s)")
    compare(
        work,
        1 / spent,
        "report_s",
        "reports/s, with its statistics",
        rate=lambda s: 1 / s,
        loops={},
    )
    for told in work.others.values():
        assert told["year_equity"] == pytest.approx(result.final_equity, rel=1e-9)


def sweep_of(candles):
    """Return the specification of the sweep: every pair with the same rules and the same start."""
    definition = replace(
        EMA,
        requirements=lambda params: Requirements(warm_up_bars=workload.FIRST_BAR),
        rules=lambda params: RULES,
    )
    terms = Terms(
        1, "binance", "BTC/USDT", InstrumentKind.SPOT,
        Decimal("0.01"), Decimal("0.00001"), Decimal(0), Decimal(5),
    )  # fmt: skip
    first, last = int(candles.open_time[0]), int(candles.open_time[-1])
    return Specification(
        definition=definition,
        params=PARAMS,
        terms=terms,
        window=Window(Timeframe.H1, first, first, Timeframe.H1.close_of(last)),
        capital=Decimal(int(workload.CAPITAL)),
        charges=Charges(Decimal(10), Decimal(10), Decimal(0)),
        data_version="",
    )


def test_a_thousand_combinations(work):
    candles = work.bars["many"]
    asked = sweep_of(candles)

    def all_pairs():
        combinations = [
            type(PARAMS)(short_ema_period=fast, long_ema_period=slow)
            for fast, slow in workload.PAIRS
        ]
        return evaluate(asked, combinations, candles, threads=2)

    figures, spent = workload.timed(all_pairs, 9)
    equities = figures[:, FIGURES.index("final_equity")]
    rates = {}
    for loop in work.loops:
        theirs, seconds = workload.timed(lambda loop=loop: loop.run_pairs(columns_of(candles)), 9)
        rates[loop.name] = len(equities) / seconds
        assert theirs == pytest.approx(equities, rel=1e-9)

    rate = len(equities) / spent
    print(f"\n1,000 pairs x 10,000 bars, two threads: {rate:,.0f} combinations/s", end="")
    print(f" with all {len(FIGURES)} figures that a sweep stores")
    compare(work, rate, "combinations_per_s", "combinations/s, one figure", rate=float, loops=rates)
    for told in work.others.values():
        every = len(equities) // len(told["equities"])
        assert told["equities"] == pytest.approx(equities[::every], rel=1e-9)
