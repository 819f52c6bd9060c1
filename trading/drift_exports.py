"""A drift report as a table of plain values: the same for the page's file, the API and the command."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

from backtesting.reports import instant, plain
from trading.domain.drift_columns import COLUMNS
from trading.models import DriftTrade

_AMOUNTS: Final = ("live_pnl", "replay_pnl", *COLUMNS)
_SIDES: Final = ("entry_at", "exit_at", "quantity", "entry_price", "exit_price")

_NAMES: Final = (
    "number",
    "symbol",
    "direction",
    "decided_at",
    *(f"{side}_{name}" for side in ("live", "replay") for name in _SIDES),
    *_AMOUNTS,
)


def trade_values(trade: DriftTrade) -> dict[str, Any]:
    """Return everything about a trade by name: exact decimals as text, instants in UTC."""
    values: dict[str, Any] = {
        "number": trade.number,
        "symbol": trade.symbol,
        "direction": "LONG" if trade.direction > 0 else "SHORT",
        "decided_at": instant(trade.decided_at),
    }
    for side in ("live", "replay"):
        for name in _SIDES:
            value = getattr(trade, f"{side}_{name}")
            shown = instant if name.endswith("_at") else plain
            values[f"{side}_{name}"] = None if value is None else shown(value)
    return values | amounts(trade)


def amounts(row: Any) -> dict[str, str]:
    """Return both results of a report or a trade and the columns of their difference."""
    return {name: plain(getattr(row, name)) for name in _AMOUNTS}


def trades_csv(trades: Iterable[DriftTrade]) -> Iterator[str]:
    """Yield the lines of a file with a heading and one line for each trade."""
    yield _line(_NAMES)
    for trade in trades:
        values = trade_values(trade)
        yield _line("" if values[name] is None else values[name] for name in _NAMES)


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
