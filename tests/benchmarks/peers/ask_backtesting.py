"""backtesting.py at the work of ``workload``: ask_backtesting.py FOLDER."""

import contextlib
import io
import sys
import warnings
from pathlib import Path

import pandas as pd

import backtesting

sys.path.insert(0, str(Path(__file__).parent))
import workload

#: It takes a while for each pair: every so many of them are done, and the rate is of those.
EVERY = 50


def average(values, length):
    """Return the exponential average of *values*."""
    return pd.Series(values).ewm(span=length, adjust=False).mean().to_numpy()


class Crossing(backtesting.Strategy):
    """Long above, flat below."""

    fast, slow = workload.FAST, workload.SLOW

    def init(self):
        """Compute both averages."""
        self.one = self.I(average, self.data.Close, self.fast, plot=False)
        self.two = self.I(average, self.data.Close, self.slow, plot=False)

    def next(self):
        """Act on a crossing."""
        one, two = self.one, self.two
        if one[-1] > two[-1] and one[-2] <= two[-2]:
            if not self.position and len(self.data) > workload.FIRST_BAR:
                self.buy(size=1)
        elif one[-1] < two[-1] and one[-2] >= two[-2] and self.position:
            self.position.close()


def simulate(frame, **lengths):
    """Return the statistics of one run, which it always computes."""
    test = backtesting.Backtest(
        frame, Crossing, cash=workload.CAPITAL, commission=workload.FEE, finalize_trades=False
    )
    return test.run(**lengths)


def frame_of(bars):
    """Return bars as it wants them."""
    columns = {name.capitalize(): bars[name] for name in ("open", "high", "low", "close")}
    return pd.DataFrame(columns, index=pd.to_datetime(bars["open_time"], unit="ms"))


def main(folder):
    """Do all of it and tell how long it took and what came out."""
    names = ("million", "year", "many")
    million, year, many = (frame_of(workload.read_bars(folder / f"{name}.npz")) for name in names)
    pairs = workload.PAIRS[::EVERY]

    def some_pairs():
        return [
            float(simulate(many, fast=fast, slow=slow)["Equity Final [$]"]) for fast, slow in pairs
        ]

    found, million_s = workload.timed(lambda: simulate(million), 1)
    report, year_s = workload.timed(lambda: simulate(year), 3)
    equities, many_s = workload.timed(some_pairs, 1)
    return {
        "version": backtesting.__version__,
        "million_s": million_s,
        "equity": float(found["Equity Final [$]"]),
        "trades": int(found["# Trades"]),
        "year_s": year_s,
        "year_equity": float(report["Equity Final [$]"]),
        "report_s": year_s,
        "combinations_per_s": len(pairs) / many_s,
        "equities": equities,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    # Its bar of progress is no part of the answer.
    with contextlib.redirect_stderr(io.StringIO()):
        values = main(Path(sys.argv[1]))
    workload.answer(**values)
