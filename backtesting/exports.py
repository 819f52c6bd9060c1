"""A finished run as files that go elsewhere: JSON, CSV, and a report in one HTML file."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.http import HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from backtesting import drawings
from backtesting.domain.curves import EquityCurve
from backtesting.models import BacktestRun, BacktestTrade
from backtesting.reports import (
    equity_series,
    file_name,
    instant,
    plain,
    present_trade,
    require_done,
)
from backtesting.results import present_run
from backtesting.selectors import excursions, runs
from backtesting.selectors.excursions import Excursions
from market import money
from market.timeframes import from_milliseconds

#: A report is read and printed; the CSV has all trades.
TRADES_IN_REPORT: Final = 500
_LINES_AT_ONCE: Final = 2_000


def describe_run(run: BacktestRun) -> dict[str, Any]:
    """Return everything about a run but its trades and series, as plain values."""
    return {
        **describe_run_in_list(run),
        "notes": run.notes,
        "parameters": run.parameters,
        "capital": plain(run.capital),
        "maker_fee_bps": plain(run.maker_fee_bps),
        "taker_fee_bps": plain(run.taker_fee_bps),
        "slippage_bps": plain(run.slippage_bps),
        "funding_bps": plain(run.funding_bps),
        "strategy_version": run.strategy_version.number,
        "engine_version": run.engine_version,
        "spec_hash": run.spec_hash,
        "data_fingerprint": run.data_fingerprint or None,
        "bars": run.bar_count,
        "missing_bars": run.missing_bars,
        "metrics": run.metrics.get("values"),
        "monthly_returns": run.metrics.get("monthly_returns"),
        "by_exit_reason": run.metrics.get("by_exit_reason"),
        "symbols": list(run.symbols),
        "universe": run.metrics.get("universe"),
        "by_direction": run.metrics.get("by_direction"),
        "by_entry": run.metrics.get("by_entry"),
        "decisions": run.metrics.get("decisions"),
        "cautions": run.metrics.get("cautions", []),
        "ambiguous_bars": run.metrics.get("ambiguous_bars"),
        "optimistic": run.metrics.get("optimistic"),
    }


def describe_run_in_list(run: BacktestRun) -> dict[str, Any]:
    """Return a run as a line of a list."""
    has_failed = bool(run.error_code)
    return {
        "id": str(run.public_id),
        "status": run.status,
        "progress": run.progress,
        "strategy": run.strategy_version.strategy.slug,
        "market": run.markets,
        "timeframe": run.timeframe,
        "from": instant(run.from_at),
        "to": instant(run.to_at),
        "effective_from": instant(run.effective_from_at),
        "requested_at": instant(run.requested_at),
        "started_at": instant(run.started_at),
        "finished_at": instant(run.finished_at),
        "tags": run.tags,
        "error": {"code": run.error_code, "message": run.error_message} if has_failed else None,
    }


def document(run: BacktestRun) -> Iterator[str]:
    """Yield the run, its thinned series and all of its trades as one JSON object."""
    head = {"run": describe_run(run), **equity_series(run)}
    yield json.dumps(head, allow_nan=False)[:-1]
    yield ', "trades": ['
    for place, trade in enumerate(runs.trades_of(run)):
        yield f"{', ' if place else ''}{json.dumps(present_trade(trade), allow_nan=False)}"
    yield "]}"


def equity_csv(run: BacktestRun) -> Iterator[str]:
    """Yield the value after every bar as CSV: equity, buy-and-hold and drawdown."""
    curve = curve_of(run)
    yield "closed_at,equity,buy_and_hold,drawdown_percent\r\n"
    fall = curve.drawdown() * 100
    for start in range(0, len(curve), _LINES_AT_ONCE):
        part = slice(start, start + _LINES_AT_ONCE)
        columns = (curve.close_time[part], curve.equity[part], curve.buy_and_hold[part], fall[part])
        lines = zip(*(column.tolist() for column in columns), strict=True)
        yield "".join(
            f"{from_milliseconds(at).isoformat()},{equity!r},{hold!r},{drawdown:.6f}\r\n"
            for at, equity, hold, drawdown in lines
        )


def report(run: BacktestRun, trades: Sequence[BacktestTrade], reach: Excursions) -> str:
    """Return one HTML file that needs nothing else: figures, charts and the first *trades*.

    *run* is done and may be one that was never stored; *reach* is how far its trades went.
    """
    style = render_to_string("backtesting/report.css")
    curve = curve_of(run)
    page = present_run(run)
    context = {
        "page": page,
        "result": page.result,
        "quote": page.quote,
        "policy": _policy(style),
        "style": mark_safe(f"<style>{style}</style>"),  # noqa: S308 (a file of ours)
        "equity": drawings.draw_equity(curve),
        "drawdown": drawings.draw_drawdown(curve),
        "scatter": drawings.draw_excursions(
            reach.adverse, reach.favorable, reach.won, total=reach.total
        ),
        "trades": trades[:TRADES_IN_REPORT],
        "trade_count": reach.total,
    }
    return render_to_string("backtesting/report.html", context)


def stored_report(run: BacktestRun) -> str:
    """Return the report of a stored run; raise RunNotDoneError."""
    require_done(run)
    trades = runs.trades_of(run, limit=TRADES_IN_REPORT)
    return report(run, trades, excursions.of_run(run))


def curve_of(run: BacktestRun) -> EquityCurve:
    """Return the whole equity curve of a run; raise RunNotDoneError."""
    require_done(run)
    return EquityCurve.from_bytes(bytes(run.equity or b""), capital=money.float_of(run.capital))


def json_response(run: BacktestRun) -> StreamingHttpResponse:
    """Return ``document`` as a download; raise RunNotDoneError."""
    require_done(run)
    return StreamingHttpResponse(
        document(run),
        content_type="application/json",
        headers=_as_file(file_name(run, "json")),
    )


def equity_response(run: BacktestRun) -> StreamingHttpResponse:
    """Return ``equity_csv`` as a download; raise RunNotDoneError."""
    require_done(run)
    return StreamingHttpResponse(
        equity_csv(run),
        content_type="text/csv; charset=utf-8",
        headers=_as_file(file_name(run, "equity.csv")),
    )


def report_response(run: BacktestRun) -> HttpResponse:
    """Return the report as a download, under a policy of its own; raise RunNotDoneError."""
    text = stored_report(run)
    policy = f"{_policy(render_to_string('backtesting/report.css'))}; sandbox"
    headers = {"Content-Security-Policy": policy, **_as_file(file_name(run, "html"))}
    return HttpResponse(text, content_type="text/html; charset=utf-8", headers=headers)


def _policy(style: str) -> str:
    """Return the policy of a file that loads nothing and has one style sheet inside."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'"


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
