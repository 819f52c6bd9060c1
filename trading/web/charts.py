"""The price chart of a deployment as JSON, in the format of ``static/js/charts.js``.

Times are seconds in UTC at the open of a bar.
"""

from typing import Any, Final

from strategies.chart_lines import chart_line
from trading.models import Deployment
from trading.selectors import holdings
from trading.selectors.charts import Marker, PriceChart

_MILLISECONDS: Final = 1_000
_PRICES: Final = ("open", "high", "low", "close")


def present_chart(chart: PriceChart | None, *, deployment: Deployment) -> dict[str, Any]:
    """Return bars, fills as marks, the strategy's lines, and stop and target of what is open."""
    if chart is None:
        return {"candles": [], "markers": [], "lines": []}
    opens = chart.candles.open_time // _MILLISECONDS
    times = opens.tolist()
    lines = [chart_line(overlay, opens) for overlay in chart.overlays]
    return {
        "candles": [
            {"time": open_ms // _MILLISECONDS, **dict(zip(_PRICES, prices, strict=False))}
            for open_ms, *prices in chart.candles.rows()
        ],
        "markers": [_mark(marker, last=times[-1]) for marker in chart.markers],
        "lines": lines + _levels(deployment, chart.symbol, times),
    }


def _mark(marker: Marker, *, last: int) -> dict[str, Any]:
    # A bar that has not closed is not drawn yet; until then its fills are marked at the last one.
    time = min(marker.open_ms // _MILLISECONDS, last)
    return {"time": time, "side": marker.side.value, "text": ""}


def _levels(deployment: Deployment, symbol: str, times: list[int]) -> list[dict[str, Any]]:
    """Return stop and target of what is open of a market, each as a level line."""
    held = holdings.open_positions(deployment)
    position = next((each for each in held if each.instrument.symbol == symbol), None)
    if position is None:
        return []
    ends = sorted({times[0], times[-1]})
    return [
        {
            "name": name,
            "pane": "",
            "points": [{"time": time, "value": str(level)} for time in ends],
        }
        for name, level in (("Stop", position.stop_price), ("Target", position.target_price))
        if level is not None
    ]
