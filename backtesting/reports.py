"""A finished run as charts, files and programs see it; the same for pages, API and commands."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np
from django.http import StreamingHttpResponse
from numpy.typing import NDArray

from backtesting.domain.curves import EquityCurve, ExposureCurve, thinned_indices
from backtesting.domain.lines import ChartLines, bars_per_candle
from backtesting.models import BacktestRun, BacktestTrade, RunStatus
from backtesting.selectors import runs, specifications
from market import money
from market.candles import Candles
from market.enums import Direction, Side
from market.errors import ConflictError
from market.timeframes import to_milliseconds
from strategies.chart_lines import chart_line
from strategies.shapes import Overlay

#: No chart is given more points than this; a screen has fewer pixels.
MAXIMUM_POINTS: Final = 2_000
#: Above so many trades, marks hide the candles.
MAXIMUM_MARKED_TRADES: Final = 500

SeriesKind = Literal["equity", "benchmark", "drawdown"]
ALL_KINDS: Final[Sequence[SeriesKind]] = ("equity", "benchmark", "drawdown")

_CSV_COLUMNS: Final = (
    "number", "direction", "entry_at", "exit_at", "quantity", "entry_price", "exit_price", "fees",
    "slippage", "funding", "pnl", "return_percent", "exit_reason", "open_at_end", "bars",
    "adverse_percent", "favorable_percent", "symbol",
)  # fmt: skip


class RunNotDoneError(ConflictError):
    """The run has no result to show."""

    def __init__(self, status: str) -> None:
        label = RunStatus(status).label.lower()
        super().__init__(f"This backtest has no result: it is {label}.")


def require_done(run: BacktestRun) -> None:
    """Raise RunNotDoneError unless *run* has a result."""
    if run.status != RunStatus.DONE or run.equity is None:
        raise RunNotDoneError(run.status)


def equity_series(
    run: BacktestRun, *, kinds: Sequence[SeriesKind] = ALL_KINDS, limit: int = MAXIMUM_POINTS
) -> dict[str, Any]:
    """Return lines of *run* for a chart, each thinned so that its highs and lows stay.

    Equity and buy-and-hold are in quote, drawdown is a fraction, 0 or less; raises RunNotDoneError.
    """
    require_done(run)
    curve = EquityCurve.from_bytes(bytes(run.equity or b""), capital=money.float_of(run.capital))
    lines: dict[SeriesKind, tuple[str, NDArray[np.float64]]] = {
        "equity": ("Equity", curve.equity),
        "benchmark": ("Buy and hold", curve.buy_and_hold),
        "drawdown": ("Drawdown", curve.drawdown()),
    }
    return {
        "series": [
            {
                "name": lines[kind][0],
                "kind": kind,
                "points": _points(curve.close_time, lines[kind][1], limit),
            }
            for kind in kinds
        ]
    }


def exposure_series(run: BacktestRun, *, limit: int = MAXIMUM_POINTS) -> dict[str, Any]:
    """Return what a run over many markets had at stake, as lines for a chart.

    Gross and net exposure are fractions of equity; raises RunNotDoneError, also for one market.
    """
    require_done(run)
    if run.exposure is None:
        raise RunNotDoneError(run.status)
    curve = EquityCurve.from_bytes(bytes(run.equity or b""), capital=money.float_of(run.capital))
    times = curve.close_time
    exposure = ExposureCurve.from_bytes(bytes(run.exposure))
    lines = {
        "Gross exposure": exposure.gross,
        "Net exposure": exposure.net,
    }
    return {
        "series": [
            {"name": name, "kind": "equity", "points": _points(times, values, limit)}
            for name, values in lines.items()
        ]
    }


def candle_chart(run: BacktestRun, *, symbol: str = "") -> dict[str, Any]:
    """Return the candles of the run's window with its trades and the strategy's own lines.

    Of a run over many markets those of *symbol*, or of the first one, without lines.

    ``bars_per_candle`` tells how many bars were joined into one, ``trades_marked`` whether trades
    were few enough to mark; raises RunNotDoneError. Lines are those of the computation: they are
    left out where the stored candles are not the same any more, or the strategy could draw none.
    """
    require_done(run)
    shown = symbol if symbol in run.symbols else run.symbols[0]
    candles = specifications.window_candles_of(run, symbol=shown)
    size = bars_per_candle(len(candles))
    joined = _joined(candles, size)
    limited = MAXIMUM_MARKED_TRADES + 1
    trades = runs.trades_of(run, symbol=shown if run.universe else "", limit=limited)
    are_few = len(trades) <= MAXIMUM_MARKED_TRADES
    times = joined.open_time // 1_000
    return {
        "candles": [
            {"time": at // 1_000, "open": first, "high": high, "low": low, "close": last}
            for at, first, high, low, last, _ in joined.rows()
        ],
        "markers": _markers(trades, joined) if are_few else [],
        "lines": [
            chart_line(line, times) for line in _lines(run, bars=len(candles), drawn=len(joined))
        ],
        "bars_per_candle": size,
        "trades_marked": are_few,
    }


def trades_csv(run: BacktestRun) -> Iterator[str]:
    """Yield the trades as lines of CSV; text that a spreadsheet would run is made harmless."""
    yield _csv_line(_CSV_COLUMNS)
    for trade in runs.trades_of(run):
        yield _csv_line(
            (
                trade.number,
                _harmless(trade.direction),
                trade.entry_at.isoformat(),
                trade.exit_at.isoformat(),
                plain(trade.quantity),
                plain(trade.entry_price),
                plain(trade.exit_price),
                plain(trade.fees),
                plain(trade.slippage),
                plain(trade.funding),
                plain(trade.pnl),
                trade.return_fraction * 100,
                _harmless(trade.exit_reason),
                "yes" if trade.is_open else "no",
                trade.bars,
                trade.mae * 100,
                trade.mfe * 100,
                _harmless(trade.symbol or run.instrument.symbol),
            )
        )


def present_trade(trade: BacktestTrade) -> dict[str, Any]:
    """Return one trade; fractions are numbers, 0.01 is 1 %."""
    return {
        "number": trade.number,
        "symbol": trade.symbol,
        "direction": trade.direction,
        "entry_at": instant(trade.entry_at),
        "exit_at": instant(trade.exit_at),
        "quantity": plain(trade.quantity),
        "entry_price": plain(trade.entry_price),
        "exit_price": plain(trade.exit_price),
        "fees": plain(trade.fees),
        "slippage": plain(trade.slippage),
        "funding": plain(trade.funding),
        "pnl": plain(trade.pnl),
        "return": trade.return_fraction,
        "exit_reason": trade.exit_reason,
        "is_open": trade.is_open,
        "bars": trade.bars,
        "adverse_excursion": trade.mae,
        "favorable_excursion": trade.mfe,
    }


def csv_response(run: BacktestRun) -> StreamingHttpResponse:
    """Return ``trades_csv`` as a download; raise RunNotDoneError."""
    require_done(run)
    return StreamingHttpResponse(
        trades_csv(run),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file_name(run, "csv")}"'},
    )


def plain(amount: Decimal) -> str:
    """Return an exact decimal without trailing zeros or exponent."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def instant(at: datetime | None) -> str | None:
    """Return *at* in UTC as ISO 8601."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None


def file_name(run: BacktestRun, ending: str) -> str:
    """Return what a file of *run* is called."""
    symbol = "".join(each if each.isalnum() else "-" for each in run.short_market)
    slug = run.strategy_version.strategy.slug
    return f"{slug}-{symbol}-{run.timeframe}-{run.public_id.hex[:8]}.{ending}"


def _points(
    times: NDArray[np.int64], values: NDArray[np.float64], limit: int
) -> list[dict[str, float]]:
    kept = thinned_indices(values, limit=limit)
    return [
        {"time": at // 1_000, "value": value}
        for at, value in zip(times[kept].tolist(), values[kept].tolist(), strict=True)
    ]


def _lines(run: BacktestRun, *, bars: int, drawn: int) -> Sequence[Overlay]:
    """Return the stored lines that are those of so many bars, drawn as so many candles."""
    stored = None if run.lines is None else ChartLines.from_bytes(bytes(run.lines))
    if stored is None or stored.bars != bars:
        return ()
    return [line for line in stored.lines if len(line.values) == drawn]


def _joined(candles: Candles, size: int) -> Candles:
    """Join every *size* bars into one."""
    if size == 1 or not len(candles):
        return candles
    starts = np.arange(0, len(candles), size)
    ends = np.minimum(starts + size, len(candles)) - 1
    return Candles(
        candles.open_time[starts],
        candles.open[starts],
        np.maximum.reduceat(candles.high, starts),
        np.minimum.reduceat(candles.low, starts),
        candles.close[ends],
        np.add.reduceat(candles.volume, starts),
    )


def _markers(trades: Iterable[BacktestTrade], candles: Candles) -> list[dict[str, Any]]:
    """Return an arrow for each entry and exit, on the candle that holds it, oldest first."""
    found = []
    for trade in trades:
        is_long = trade.direction == Direction.LONG
        into, out = (Side.BUY, Side.SELL) if is_long else (Side.SELL, Side.BUY)
        found.append((trade.entry_at, into, trade.direction.capitalize()))
        if not trade.is_open:
            found.append((trade.exit_at, out, trade.get_exit_reason_display()))
    times = candles.open_time
    markers = []
    for at, side, text in sorted(found, key=lambda each: each[0]):
        index = int(np.searchsorted(times, to_milliseconds(at), side="right")) - 1
        if index >= 0:
            markers.append({"time": int(times[index]) // 1_000, "side": side.value, "text": text})
    return markers


def _csv_line(cells: Iterable[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def _harmless(text: str) -> str:
    """Return *text* so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
