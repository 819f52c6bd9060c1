"""The page of a drift report as plain values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from trading.domain.drift_columns import COLUMNS
from trading.models import DriftReport, DriftStatus, DriftTrade

_MILLISECONDS: Final = 1_000

#: What each column is, for people: a heading and what it means.
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "missed": ("Missed", "trades that only the replay made"),
    "halts": ("Halts", "entries that a limit, a pause or the platform refused"),
    "late": ("Late", "fills more than a bar later than in the replay"),
    "size": ("Size", "orders for another quantity"),
    "partial": ("Partial fills", "orders that did not fill whole"),
    "slippage": ("Slippage", "other prices within a bar"),
    "fees": ("Fees", "other fees for the same quantity"),
    "funding": ("Funding", "other funding for the same quantity"),
    "manual": ("By hand", "positions closed by a person or a stop"),
    "residual": (
        "Residual",
        "what none of these explains, such as trades that the replay did not make",
    ),
}


@dataclass(frozen=True, slots=True)
class ColumnView:
    """One cause with what it made of the difference."""

    heading: str
    meaning: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class TradeView:
    """One line of the table."""

    number: int
    symbol: str
    direction: str
    decided_at: datetime
    is_live: bool
    is_replayed: bool
    live_pnl: Decimal
    replay_pnl: Decimal
    amounts: Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class DriftPage:
    """A report, or none yet; ``columns`` and ``trades`` are empty until it is done."""

    status: str
    label: str
    version: int
    is_waiting: bool
    is_done: bool
    error: str
    finished_at: datetime | None
    from_at: datetime | None
    to_at: datetime | None
    live_pnl: Decimal
    replay_pnl: Decimal
    difference: Decimal
    columns: Sequence[ColumnView]


def present_drift(report: DriftReport) -> DriftPage:
    """Return the page of *report*, its trades apart."""
    is_done = report.status == DriftStatus.DONE
    return DriftPage(
        status=report.status,
        label=report.get_status_display(),
        version=report.version,
        is_waiting=report.status in {DriftStatus.QUEUED, DriftStatus.RUNNING},
        is_done=is_done,
        error=report.error_message,
        finished_at=report.finished_at,
        from_at=report.from_at,
        to_at=report.to_at,
        live_pnl=report.live_pnl,
        replay_pnl=report.replay_pnl,
        difference=report.live_pnl - report.replay_pnl,
        columns=[ColumnView(*_WORDS[name], getattr(report, name)) for name in COLUMNS]
        if is_done
        else [],
    )


def present_trades(trades: Iterable[DriftTrade]) -> list[TradeView]:
    """Return the lines of the table."""
    return [
        TradeView(
            number=trade.number,
            symbol=trade.symbol,
            direction="LONG" if trade.direction > 0 else "SHORT",
            decided_at=trade.decided_at,
            is_live=trade.live_quantity is not None,
            is_replayed=trade.replay_quantity is not None,
            live_pnl=trade.live_pnl,
            replay_pnl=trade.replay_pnl,
            amounts=[getattr(trade, name) for name in COLUMNS],
        )
        for trade in trades
    ]


def present_lines(report: DriftReport) -> dict[str, Any]:
    """Return both lines of equity, in the format of ``static/js/charts.js``."""
    return {
        "series": [
            {
                "name": name,
                "kind": kind,
                "points": [
                    {"time": int(point[0]) // _MILLISECONDS, "value": point[place]}
                    for point in report.equity
                ],
            }
            for name, kind, place in (("Deployment", "equity", 1), ("Replay", "benchmark", 2))
        ]
    }
