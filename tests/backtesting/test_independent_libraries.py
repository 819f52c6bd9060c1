"""Every trade and the final equity agree with backtesting.py and vectorbt, on real candles.

What those say is stored by ``tests/references/make_engine_references.py``, which shares no code
with the platform and says how both sides come to the same whole lots and ticks.
"""

import csv
import hashlib
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from backtesting.engine import simulate
from market.candles import Candles
from market.costs import Costs
from market.enums import Direction, InstrumentKind
from market.timeframes import Timeframe
from strategies.indicators.crossings import cross_down, cross_up
from strategies.registry import get_definition, validate_params
from strategies.rules import Rules, SizingMode
from strategies.signals import Signals
from strategies.views import MarketView

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "exchanges" / "sample_data"
STORED = ROOT / "tests" / "references"
SHIPPED = json.loads((STORED / "engine_shipped.json").read_text())
LARGER = json.loads((STORED / "engine_larger.json").read_text())
RELATIVE = 1e-9


def name_of(run):
    return f"{run['library']}: {run['case']}, {run['series']}"


def candles_of(path, bars):
    """Return the last *bars* of a file of recorded candles."""
    if path.suffix == ".csv":
        with path.open() as lines:
            rows = list(csv.reader(lines))[1:]
        times = np.array([row[0] for row in rows], dtype=np.int64)
        columns = np.array([row[1:6] for row in rows], dtype=np.float64).T
    else:
        from pyarrow import parquet  # noqa: PLC0415 - only where the larger set is

        table = parquet.read_table(path)
        times = table["timestamp"].to_numpy()
        names = ("open", "high", "low", "close", "volume")
        columns = np.array([table[name].to_numpy() for name in names])
    candles = Candles(times, *(np.ascontiguousarray(column) for column in columns))
    return candles.slice(len(candles) - bars, len(candles))


def fingerprint(candles):
    prices = np.stack([candles.open, candles.high, candles.low, candles.close], axis=1)
    return hashlib.sha256(prices.astype("<f8").tobytes()).hexdigest()


def average(values, period):
    """Return the exponential average that begins with the first value."""
    found = values.copy()
    share = 2 / (period + 1)
    for i in range(1, len(values)):
        found[i] = share * values[i] + (1 - share) * found[i - 1]
    return found


def plain_crossing(candles, run):
    """Return signals and rules of two plain averages: long at market, one unit, no protection."""
    fast, slow = (average(candles.close, run["parameters"][key]) for key in ("fast", "slow"))
    up, down = cross_up(fast, slow), cross_down(fast, slow)
    never = np.zeros(len(candles), dtype=np.bool_)
    rules = Rules(0, 0, SizingMode.FIXED_BASE, run["size"])
    return Signals(up, never, down, never, ~never), rules


def strategy(candles, run):
    """Return signals and rules of a strategy of the catalogue."""
    definition = get_definition(run["strategy"])
    params = validate_params(definition, run["parameters"])
    assert definition.requirements(params).warm_up_bars == run["first_bar"]
    kind = InstrumentKind.LINEAR_SWAP if run["shorts"] else InstrumentKind.SPOT
    signals = definition.signals(MarketView(candles, Timeframe.H1), params)
    return signals, definition.rules(params).for_market(kind, Timeframe.H1)


def run_of(stored, run, folder):
    """Return the candles of a stored run and what our engine makes of it."""
    candles = candles_of(folder / run["series"], run["bars"])
    assert fingerprint(candles) == run["sha256"]
    signals, rules = (strategy if run["strategy"] else plain_crossing)(candles, run)
    costs = Costs.from_decimals(
        maker_fee_bps=Decimal(stored["fee_bps"]),
        taker_fee_bps=Decimal(stored["fee_bps"]),
        slippage_bps=Decimal(0),
        spread_bps=Decimal(0),
        tick_size=Decimal(stored["tick_size"]),
        lot_step=Decimal(stored["lot_step"]),
        minimum_notional=Decimal(0),
    )
    first = int(candles.open_time[run["first_bar"]])
    capital = float(stored["capital"])
    return simulate(candles, signals, rules, costs, capital=capital, trade_from_ms=first)


def check(stored, run, result):
    """Compare trades and final equity; whole numbers exactly, prices and money to 1e-9."""
    ours = [trade for trade in result.trades if not trade.is_open]
    assert len(ours) == len(run["trades"])
    lot = float(stored["lot_step"])
    for trade, expected in zip(ours, run["trades"], strict=True):
        told = dict(zip(stored["columns"], expected, strict=True))
        assert trade.entry_open_ms == told["entry_open_ms"]
        assert trade.exit_open_ms == told["exit_open_ms"]
        assert (1 if trade.direction is Direction.LONG else -1) == told["direction"]
        assert trade.lots == told["lots"]
        assert trade.entry_price == pytest.approx(told["entry_price"], rel=RELATIVE, abs=0)
        assert trade.exit_price == pytest.approx(told["exit_price"], rel=RELATIVE, abs=0)
        # A gain near nothing is the difference of two large amounts, which are what is rounded.
        rounding = 1e-14 * trade.lots * lot * trade.entry_price
        assert trade.pnl == pytest.approx(told["pnl"], rel=RELATIVE, abs=rounding)
    assert result.final_equity == pytest.approx(run["final_equity"], rel=RELATIVE, abs=0)


@pytest.mark.parametrize("run", SHIPPED["runs"], ids=name_of)
def test_shipped_candles_give_the_same_trades(run):
    check(SHIPPED, run, run_of(SHIPPED, run, SAMPLES))


@pytest.mark.candles
@pytest.mark.parametrize("run", LARGER["runs"], ids=name_of)
def test_the_larger_set_gives_the_same_trades(run, candles_dir):
    check(LARGER, run, run_of(LARGER, run, candles_dir))


@pytest.mark.candles
def test_a_year_of_hours_compounds_to_what_eight_engines_agreed_on(candles_dir):
    # Measured once with eight engines that put all of a million into every trade, at the next open;
    # ours sizes by the close it has seen, so their equity follows from its trades of one unit.
    (run,) = (
        each
        for each in LARGER["runs"]
        if (each["series"], each["case"], each["library"])
        == ("binance/BTC-USDT/1h.parquet", "two averages, one unit", "backtesting.py")
    )
    trades = run_of(LARGER, run, candles_dir).trades
    fee = LARGER["fee_bps"] / 10_000

    equity = 1_000_000.0
    for trade in trades:
        equity *= trade.exit_price * (1 - fee) / (trade.entry_price * (1 + fee))

    assert len(trades) == 149
    assert equity == pytest.approx(1_375_653.6923049218, rel=RELATIVE, abs=0)


def test_at_least_three_strategies_of_the_catalogue_are_compared_and_trade():
    for stored in (SHIPPED, LARGER):
        compared = {run["strategy"] for run in stored["runs"] if run["trades"]} - {""}
        assert compared == {"ema-crossover", "kernel-envelope", "orphan-bands"}
        assert {run["library"] for run in stored["runs"]} == {"backtesting.py", "vectorbt"}
