"""Runs as JSON: exact decimals as text, instants in UTC."""

from typing import Any

from django.urls import reverse

from backtesting.comparison import Comparison
from backtesting.exports import describe_run, describe_run_in_list
from backtesting.models import AwaitedRun, BacktestRun

_LINKS = (
    "trades", "series", "candles", "trades-csv", "equity-csv", "document", "report", "cancel",
)  # fmt: skip


def present_run(run: BacktestRun) -> dict[str, Any]:
    """Return everything about a run but its trades and series, which have addresses of their own."""
    links = {name: reverse(f"backtesting-api:{name}", args=[run.public_id]) for name in _LINKS}
    return {**describe_run(run), "links": links}


def present_awaited(awaited: AwaitedRun) -> dict[str, Any]:
    """Return a backtest that waits for candles, or what became of it."""
    error = {"code": awaited.error_code, "message": awaited.error_message}
    return {
        "id": awaited.public_id,
        "status": awaited.status,
        "progress": awaited.progress,
        "strategy": awaited.strategy_slug,
        "market": awaited.wish.get("market") or awaited.wish.get("universe", ""),
        "timeframe": awaited.wish["timeframe"],
        "requested_at": awaited.requested_at,
        "finished_at": awaited.finished_at,
        "run": awaited.run.public_id if awaited.run is not None else None,
        "error": error if awaited.error_code else None,
    }


def present_comparison(comparison: Comparison) -> dict[str, Any]:
    """Return runs side by side."""
    return {
        "runs": [describe_run_in_list(run) for run in comparison.runs],
        "figures": [
            {
                "key": figure.info.key,
                "label": figure.info.label,
                "unit": figure.info.unit.value,
                "better": figure.info.better.value,
                "values": list(figure.values),
                "best": sorted(figure.best),
            }
            for figure in comparison.figures
        ],
        "settings": [
            {
                "name": setting.name,
                "title": setting.title,
                "unit": setting.unit,
                "values": list(setting.values),
                "differs": setting.differs,
            }
            for setting in comparison.settings
        ],
        **comparison.curves(),
    }
