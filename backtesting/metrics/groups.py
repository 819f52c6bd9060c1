"""Trades that have something in common, and what they brought together."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtesting.metrics import tradestats
from backtesting.metrics.columns import ENTRY_KINDS, EXIT_REASONS, TradeColumns
from market.enums import Direction


class TradeGroup(NamedTuple):
    """A few trades: how many, their net PnL in quote, the fraction that won, the mean return."""

    name: str
    trades: int
    pnl: float
    win_rate: float
    average_return: float

    def to_json(self, word: str) -> dict[str, Any]:
        """Return plain values; *word* says what the name is."""
        values = self._asdict()
        return {word: values.pop("name"), **values}


def by_exit_reason(trades: TradeColumns) -> tuple[TradeGroup, ...]:
    """Return what each reason to leave brought, open trades included; absent reasons are left out."""
    return _groups(
        trades,
        ((reason.value, trades.exit_reason == code) for code, reason in enumerate(EXIT_REASONS)),
    )


def by_direction(trades: TradeColumns) -> tuple[TradeGroup, ...]:
    """Return what long and what short trades brought, open trades included."""
    is_long = trades.direction > 0
    return _groups(trades, ((Direction.LONG.value, is_long), (Direction.SHORT.value, ~is_long)))


def by_entry(trades: TradeColumns) -> tuple[TradeGroup, ...]:
    """Return what entries at market, by limit and by stop orders brought, open trades included."""
    return _groups(
        trades, ((name, trades.entry_kind == code) for code, name in enumerate(ENTRY_KINDS))
    )


def _groups(
    trades: TradeColumns, named: Iterable[tuple[str, NDArray[np.bool_]]]
) -> tuple[TradeGroup, ...]:
    found = []
    for name, chosen in named:
        pnls = trades.pnl[chosen]
        rate, average = tradestats.win_rate(pnls), tradestats.mean(trades.return_fraction[chosen])
        if rate is not None and average is not None:
            found.append(TradeGroup(name, len(pnls), float(pnls.sum()), rate, average))
    return tuple(found)
