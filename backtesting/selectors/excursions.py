"""How far prices went against the trades of a run and for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtesting.models import BacktestRun, BacktestTrade

#: More marks than this hide each other.
MOST: Final = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Excursions:
    """Fractions of the entry price, shape ``(n,)``, of the last n of ``total`` trades."""

    adverse: NDArray[np.float64]
    favorable: NDArray[np.float64]
    won: NDArray[np.bool_]
    total: int


def of_run(run: BacktestRun) -> Excursions:
    """Return the excursions of the last trades of a stored run."""
    trades = BacktestTrade.objects.filter(run_id=run.pk).order_by("-number")
    return _gathered(list(trades.values_list("mae", "mfe", "pnl", "number")[:MOST]))


def of_trades(trades: Sequence[BacktestTrade]) -> Excursions:
    """Return the excursions of the last of *trades*, oldest first, which need not be stored."""
    last = reversed(trades[-MOST:])
    return _gathered((trade.mae, trade.mfe, trade.pnl, trade.number) for trade in last)


def _gathered(rows: Iterable[tuple[object, ...]]) -> Excursions:
    table = np.array([[*row] for row in rows], np.float64).reshape(-1, 4)
    total = int(table[0, 3]) if len(table) else 0
    return Excursions(table[:, 0], table[:, 1], table[:, 2] > 0, total)
