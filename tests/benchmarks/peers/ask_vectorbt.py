"""vectorbt at the work of ``workload``: ask_vectorbt.py FOLDER."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt

sys.path.insert(0, str(Path(__file__).parent))
import workload


def simulate(bars, fast, slow):
    """Return a portfolio for one pair of lengths, or for lists of them."""
    # A time zone in the index would make it a hundred times slower.
    index = pd.to_datetime(bars["open_time"], unit="ms")
    close, opens = pd.Series(bars["close"], index), pd.Series(bars["open"], index)
    one = vectorbt.MA.run(close, window=fast, ewm=True, adjust=False)
    two = vectorbt.MA.run(close, window=slow, ewm=True, adjust=False)
    up, down = one.ma_crossed_above(two), one.ma_crossed_below(two)
    may_trade = np.arange(len(close)) >= workload.FIRST_BAR
    if up.ndim > 1:
        may_trade = may_trade[:, np.newaxis]
    return vectorbt.Portfolio.from_signals(
        close,
        (up & may_trade).vbt.signals.fshift(1),
        down.vbt.signals.fshift(1),
        price=opens,
        size=1.0,
        fees=workload.FEE,
        init_cash=workload.CAPITAL,
        freq=index[1] - index[0],
    )


def main(folder):
    """Do all of it and tell how long it took and what came out."""
    million = workload.read_bars(folder / "million.npz")
    year = workload.read_bars(folder / "year.npz")
    many = workload.read_bars(folder / "many.npz")

    def one_run(bars):
        portfolio = simulate(bars, workload.FAST, workload.SLOW)
        return float(portfolio.final_value()), len(portfolio.trades.records)

    def one_report():
        return simulate(year, workload.FAST, workload.SLOW).stats()

    def all_pairs():
        fast, slow = ([pair[k] for pair in workload.PAIRS] for k in (0, 1))
        return simulate(many, fast, slow).final_value().tolist()

    (equity, trades), million_s = workload.timed(lambda: one_run(million), 3)
    (year_equity, _), year_s = workload.timed(lambda: one_run(year), 5)
    _, report_s = workload.timed(one_report, 3)
    equities, many_s = workload.timed(all_pairs, 2)
    workload.answer(
        version=vectorbt.__version__,
        million_s=million_s,
        equity=equity,
        trades=trades,
        year_s=year_s,
        year_equity=year_equity,
        report_s=report_s,
        combinations_per_s=len(workload.PAIRS) / many_s,
        equities=equities,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
