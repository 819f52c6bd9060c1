"""Runs as JSON: exact decimals as text, instants in UTC."""

from typing import Any

from django.urls import reverse

from backtesting.comparison import Comparison
from backtesting.models import BacktestRun
from backtesting.reports import instant, plain


def present_run(run: BacktestRun) -> dict[str, Any]:
    """Return everything about a run but its trades and series, which have addresses of their own."""
    return {
        **present_run_in_list(run),
        "notes": run.notes,
        "parameters": run.parameters,
        "capital": plain(run.capital),
        "maker_fee_bps": plain(run.maker_fee_bps),
        "taker_fee_bps": plain(run.taker_fee_bps),
        "slippage_bps": plain(run.slippage_bps),
        "strategy_version": run.strategy_version.number,
        "engine_version": run.engine_version,
        "spec_hash": run.spec_hash,
        "data_fingerprint": run.data_fingerprint or None,
        "bars": run.bar_count,
        "metrics": run.metrics.get("values"),
        "monthly_returns": run.metrics.get("monthly_returns"),
        "by_exit_reason": run.metrics.get("by_exit_reason"),
        "by_direction": run.metrics.get("by_direction"),
        "decisions": run.metrics.get("decisions"),
        "links": {
            name: reverse(f"backtesting-api:{name}", args=[run.public_id])
            for name in ("trades", "series", "candles", "trades-csv", "cancel")
        },
    }


def present_run_in_list(run: BacktestRun) -> dict[str, Any]:
    """Return a run as a line of a list."""
    has_failed = bool(run.error_code)
    return {
        "id": str(run.public_id),
        "status": run.status,
        "progress": run.progress,
        "strategy": run.strategy_version.strategy.slug,
        "market": f"{run.instrument.venue.code}:{run.instrument.symbol}",
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


def present_comparison(comparison: Comparison) -> dict[str, Any]:
    """Return runs side by side."""
    return {
        "runs": [present_run_in_list(run) for run in comparison.runs],
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
