"""Ask independent libraries what strategies of ours come to on real candles, and store the answers.

    make bench-peers
    .venv-bench/bin/python -I tests/references/make_engine_references.py

Isolated (-I), for the library has the name of a package of ours; this imports nothing of ours. The signals are computed here, with numpy and pandas, from what the
strategies promise; fills, stops, targets, fees and equity are those of backtesting.py, and once of
vectorbt. Of each run every closed trade and the equity at the last close are stored; candles are
not. The runs over the larger set of candles are made where CANDLES_DIR names it.

Both sides obey the rules of an exchange, which the libraries know nothing of, in the same way:

* A quantity is a whole number of lots. The libraries trade whole units, so they are given prices of
  one lot: the candles times the lot step.
* A stop or target is a whole number of ticks, rounded away from the entry. It is measured from the
  price of the fill, the open after the decision; an exchange knows it then, and a library has to
  be told with the order, so this is the one place where the script reads the next open.
* An order is sized by the close at which it is decided, and rounded down to lots.

The arithmetic of these three is decimal and exact.
"""

import csv
import hashlib
import json
import os
import sys
import warnings
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt

import backtesting

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "exchanges" / "sample_data"
HERE = Path(__file__).resolve().parent

FEE_BPS = 10
CAPITAL = 1_000_000
TICK, LOT = Decimal("0.01"), Decimal("0.00001")

#: Shipped series, and those of the larger set with how many of their last bars are used.
SHIPPED = (
    "binance/BTC-USDT/1h.csv",
    "binance/BTC-USDT/4h.csv",
    "binance/ETH-USDT/4h.csv",
    "binance/BNB-USDT/4h.csv",
)
LARGER = {
    "binance/BTC-USDT/1h.parquet": 8_760,
    "binance-2024/ETH-USDT/1h.parquet": 4_000,
    "binance-2024/SOL-USDT/5m.parquet": 4_000,
}


# --- indicators, from their definitions ---------------------------------------------------------


def seeded_average(values, period):
    """Return the exponential average that begins with the mean of the first *period* values."""
    seeded = pd.Series(values, dtype=float)
    seeded.iloc[period - 1] = seeded.iloc[:period].mean()
    return seeded.iloc[period - 1 :].ewm(span=period, adjust=False).mean().reindex(seeded.index)


def crossed_up(one, other):
    """Tell where *one* comes from at most *other* to above it."""
    return (one.shift() <= other.shift()) & (one > other)


def reached_up(one, other):
    """Tell where *one* comes from below *other* to it or past it."""
    return (one.shift() < other.shift()) & (one >= other)


# --- strategies: what they say at each close ----------------------------------------------------


def plain_crossing(frame, fast, slow):
    """Say long where averages seeded with the first close cross upwards, out where downwards."""
    one, two = (frame.Close.ewm(span=each, adjust=False).mean() for each in (fast, slow))
    up, down = crossed_up(one, two), crossed_up(two, one)
    never = pd.Series(False, index=frame.index)
    return up, never, down, never


def ema_crossover(frame, short_ema_period, long_ema_period, **_):
    """Say long where the fast average crosses above the slow one, short where below."""
    fast, slow = (seeded_average(frame.Close, each) for each in (short_ema_period, long_ema_period))
    up, down = crossed_up(fast, slow), crossed_up(slow, fast)
    return up, down, down, up


def kernel_envelope(frame, h_bandwidth, multiplier, window, mae_length, **_):
    """Say long where the close leaves the envelope of a Gaussian mean downwards, short upwards."""
    close = frame.Close.to_numpy()
    weights = np.exp(-(np.arange(window) ** 2) / (2 * h_bandwidth**2))
    middle = pd.Series(np.nan, index=frame.index)
    for i in range(window - 1, len(close)):
        middle[i] = np.dot(weights, close[i::-1][:window]) / weights.sum()
    width = multiplier * (frame.Close - middle).abs().rolling(mae_length).mean()
    long = reached_up(middle - width, frame.Close)
    short = reached_up(frame.Close, middle + width)
    never = pd.Series(False, index=frame.index)
    return long, short, never, never


def orphan_bands(
    frame, bb_length, bb_stdev, trend_period, vol_filter_length, vol_ma_length, bb_exit_delay, **_
):
    """Say long where the close comes up to the lower band above the trend, short at the upper."""
    close = frame.Close
    middle, width = close.rolling(bb_length).mean(), close.rolling(bb_length).std(ddof=0)
    lower, upper = middle - bb_stdev * width, middle + bb_stdev * width
    trend = seeded_average(close, trend_period)
    volatility = close.rolling(vol_filter_length).std(ddof=1)
    is_wild = volatility > volatility.rolling(vol_ma_length).mean()
    pierced, fallen = reached_up(close, upper), reached_up(lower, close)
    late = bb_exit_delay
    return (
        reached_up(close, lower) & (close > trend) & is_wild,
        pierced & (close < trend) & is_wild,
        pierced.shift(late, fill_value=False),
        fallen.shift(late, fill_value=False),
    )


# --- the runs that are compared -----------------------------------------------------------------

#: By name: who says when, with which parameters, from which bar on; how it is sized and protected.
CASES = {
    "two averages, one unit": {
        "signals": plain_crossing,
        "strategy": "",
        "parameters": {"fast": 12, "slow": 26},
        "first_bar": 26,
        "sizing": "FIXED_BASE",
        "size": 1,
        "stop": 0,
        "target": 0,
        "shorts": False,
    },
    "EMA crossover": {
        "signals": ema_crossover,
        "strategy": "ema-crossover",
        "parameters": {
            "short_ema_period": 8,
            "long_ema_period": 21,
            "risk_per_trade_percent": 0.3,
            "stop_loss_percent": 1.5,
            "take_profit_percent": 3.0,
        },
        "first_bar": 105,
        "sizing": "RISK",
        "size": "0.3",
        "stop": "1.5",
        "target": "3",
        "shorts": True,
    },
    "kernel envelope": {
        "signals": kernel_envelope,
        "strategy": "kernel-envelope",
        "parameters": {
            "h_bandwidth": 6.0,
            "multiplier": 2.0,
            "window": 60,
            "mae_length": 60,
            "tp_percent": 1.2,
            "sl_percent": 0.8,
            "position_size_percent_capital": 20.0,
        },
        "first_bar": 120,
        "sizing": "NOTIONAL",
        "size": 20,
        "stop": "0.8",
        "target": "1.2",
        "shorts": True,
    },
    "orphan bands without a trail": {
        "signals": orphan_bands,
        "strategy": "orphan-bands",
        "parameters": {
            "bb_length": 10,
            "bb_stdev": 1.0,
            "trend_period": 15,
            "vol_filter_length": 8,
            "vol_ma_length": 12,
            "bb_exit_delay": 1,
            "sl_percent": 1.0,
            "tp_percent": 2.5,
            "use_trailing": False,
            "position_size_percent_equity": 15.0,
        },
        "first_bar": 75,
        "sizing": "NOTIONAL",
        "size": 15,
        "stop": "1",
        "target": "2.5",
        "shorts": True,
    },
}


def lots_of(case, price):
    """Return how many whole lots an entry decided at *price* has."""
    size, price = Decimal(str(case["size"])), Decimal(str(price))
    if case["sizing"] == "RISK":
        stop = Decimal(case["stop"]) / 100
        quantity = CAPITAL * size / 100 / (price * stop)
    elif case["sizing"] == "NOTIONAL":
        quantity = CAPITAL * size / 100 / price
    else:
        quantity = size
    return int((quantity / LOT).to_integral_value(ROUND_FLOOR))


def level_of(percent, entry, *, sign):
    """Return the price *percent* from *entry*, in ticks away from it; above for *sign* 1."""
    if not percent:
        return None
    level = Decimal(str(entry)) * (1 + sign * Decimal(percent) / 100) / TICK
    ticks = level.to_integral_value(ROUND_CEILING if sign > 0 else ROUND_FLOOR)
    return float(ticks * TICK)


def ask_backtesting(frame, times, case):
    """Return the closed trades and the last equity of backtesting.py."""
    said = [each.to_numpy() for each in case["signals"](frame, **case["parameters"])]
    lot = float(LOT)
    opens, closes = frame.Open.to_numpy(), frame.Close.to_numpy()

    class Told(backtesting.Strategy):
        def init(self):
            pass

        def next(self):
            i = len(self.data) - 1
            long, short, leave_long, leave_short = (bool(each[i]) for each in said)
            short = short and case["shorts"]
            held = self.position.size
            if held:
                if not (leave_long if held > 0 else leave_short):
                    return
                self.position.close()
                long, short = long and held < 0, short and held > 0
            if long == short or i < case["first_bar"] or i + 1 == len(opens):
                return
            self._enter(1 if long else -1, closes[i], opens[i + 1])

        def _enter(self, side, close, fill):
            stop = level_of(case["stop"], fill, sign=-side)
            target = level_of(case["target"], fill, sign=side)
            order = self.buy if side > 0 else self.sell
            order(
                size=lots_of(case, close),
                sl=stop and stop * lot,
                tp=target and target * lot,
            )

    scaled = (frame * lot).set_axis(pd.to_datetime(times, unit="ms"))
    test = backtesting.Backtest(scaled, Told, cash=CAPITAL, commission=FEE_BPS / 10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # An order that it refuses for want of money would make another run than ours.
        warnings.filterwarnings("error", message=".*insufficient margin")
        stats = test.run()
    trades = stats["_trades"].sort_values("EntryBar")
    rows = [
        [
            int(each.EntryBar),
            int(each.ExitBar),
            1 if each.Size > 0 else -1,
            abs(int(each.Size)),
            each.EntryPrice / lot,
            each.ExitPrice / lot,
            each.PnL,
        ]
        for each in trades.itertuples()
    ]
    return rows, float(stats["_equity_curve"].Equity.iloc[-1])


def ask_vectorbt(frame, _times, case):
    """Return the same of vectorbt, for entries at market without stop and target."""
    up, _, down, _ = case["signals"](frame, **case["parameters"])
    up &= np.arange(len(frame)) >= case["first_bar"]
    portfolio = vectorbt.Portfolio.from_signals(
        frame.Close,
        up.shift(1, fill_value=False),
        down.shift(1, fill_value=False),
        price=frame.Open,
        size=float(case["size"]),
        fees=FEE_BPS / 10_000,
        init_cash=CAPITAL,
    )
    found = portfolio.trades.records
    closed = found[found["status"] == 1]
    rows = [
        [
            int(each.entry_idx),
            int(each.exit_idx),
            1,
            round(each.size / float(LOT)),
            each.entry_price,
            each.exit_price,
            each.pnl,
        ]
        for each in closed.itertuples()
    ]
    return rows, float(portfolio.final_value())


def read_series(path, last):
    """Return the *last* bars of a file as a frame numbered from 0, and their open times in ms."""
    if path.suffix == ".csv":
        with path.open() as lines:
            rows = list(csv.reader(lines))[1:]
        table = pd.DataFrame(np.array(rows, dtype=float)[:, :5])
    else:
        table = pd.read_parquet(path).iloc[:, :5]
    table.columns = ["time", "Open", "High", "Low", "Close"]
    table = table.tail(last).reset_index(drop=True)
    return table.drop(columns="time"), table["time"].astype("int64").to_numpy()


def references(folder, series):
    """Return what the libraries say of all cases on all *series*, which lie in *folder*."""
    found = []
    for name, last in series.items():
        frame, times = read_series(folder / name, last)
        digest = hashlib.sha256(frame.to_numpy(dtype="<f8").tobytes()).hexdigest()
        for title, case in CASES.items():
            asked = {"backtesting.py": ask_backtesting}
            if not case["stop"]:
                asked["vectorbt"] = ask_vectorbt
            for library, ask in asked.items():
                rows, equity = ask(frame, times, case)
                print(f"{name} · {title} · {library}: {len(rows)} trades, {equity:.6f}")
                found.append(
                    {
                        "series": name,
                        "bars": len(frame),
                        "sha256": digest,
                        "case": title,
                        **{key: value for key, value in case.items() if key != "signals"},
                        "library": library,
                        "final_equity": equity,
                        "trades": [
                            [int(times[row[0]]), int(times[row[1]]), *row[2:]] for row in rows
                        ],
                    }
                )
    return found


def write(path, found):
    """Write a file with one trade a line."""
    path.write_text(
        json.dumps(
            {
                "made_with": {
                    "backtesting.py": backtesting.__version__,
                    "vectorbt": vectorbt.__version__,
                },
                "fee_bps": FEE_BPS,
                "capital": CAPITAL,
                "tick_size": str(TICK),
                "lot_step": str(LOT),
                "columns": [
                    "entry_open_ms",
                    "exit_open_ms",
                    "direction",
                    "lots",
                    "entry_price",
                    "exit_price",
                    "pnl",
                ],
                "runs": found,
            },
            separators=(",", ":"),
        ).replace("],[", "],\n[")
        + "\n"
    )


def main():
    """Write the references for the shipped candles, and for the larger set where it is."""
    write(HERE / "engine_shipped.json", references(SAMPLES, dict.fromkeys(SHIPPED, 10**9)))
    larger = os.environ.get("CANDLES_DIR", "")
    if not larger:
        print("CANDLES_DIR is not set: the references for the larger set stay as they are.")
        return 0
    write(HERE / "engine_larger.json", references(Path(larger), LARGER))
    return 0


if __name__ == "__main__":
    sys.exit(main())
