"""A result as lines of text for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from backtesting.metrics import CATALOGUE, MetricInfo, Section, Unit
from market.timeframes import from_milliseconds

_ABSENT: Final = "-"
_LABEL_WIDTH: Final = 36


def metric_lines(values: Mapping[str, Any], *, quote: str) -> Iterator[str]:
    """Yield every metric with its name, by section; amounts are in *quote*."""
    for section in Section:
        yield ""
        yield section.value.capitalize()
        for info in CATALOGUE:
            if info.section is section:
                text = metric_text(info, values.get(info.key), quote)
                yield f"  {info.label:<{_LABEL_WIDTH}}{text:>22}"


def reason_lines(reasons: Sequence[Mapping[str, Any]], *, quote: str) -> Iterator[str]:
    """Yield how the trades ended."""
    yield ""
    yield "Trades by exit"
    for row in reasons:
        label = str(row["reason"]).replace("_", " ").capitalize()
        yield f"  {label:<{_LABEL_WIDTH}}{row['trades']:>6} {row['pnl']:>+14,.2f} {quote}"


def interval_lines(metrics: Mapping[str, Any], *, quote: str) -> Iterator[str]:
    """Yield how much better it could have been; nothing where the bars leave nothing open."""
    bars, other = metrics.get("ambiguous_bars", 0), metrics.get("optimistic")
    if not bars or other is None:
        return
    yield ""
    yield f"Bars that do not say in which order their prices came: {bars:,}. With the better order:"
    figures = {
        "Final equity": f"{other['final_equity']:,.2f} {quote}",
        "Total return": f"{other['total_return']:.2%}",
    }
    for label, value in figures.items():
        yield f"  {label:<{_LABEL_WIDTH}}{value:>22}"


def universe_lines(universe: Mapping[str, Any] | None, *, quote: str) -> Iterator[str]:
    """Yield the markets of a run over many, and what it had at stake; nothing for one market."""
    if universe is None:
        return
    yield ""
    yield "Universe, as declared; markets that are gone by now may be missing from it"
    for row in universe["markets"]:
        label = f"  {row['symbol']:<{_LABEL_WIDTH}}"
        yield f"{label}{row['trades']:>6} {row['pnl']:>+14,.2f} {quote}"
    average = universe["correlation"]["average"]
    figures = {
        "Most open positions": f"{universe['most_positions']}",
        "Largest exposure": f"{universe['most_gross']:.1%}",
        "Average correlation": _ABSENT if average is None else f"{average:.2f}",
    }
    for label, value in figures.items():
        yield f"  {label:<{_LABEL_WIDTH}}{value:>22}"


def metric_text(info: MetricInfo, value: Any, quote: str = "") -> str:
    """Return a metric's value in its unit."""
    if value is None:
        return _ABSENT
    match info.unit:
        case Unit.FRACTION:
            return f"{value:.2%}"
        case Unit.MONEY:
            return f"{value:,.2f} {quote}".rstrip()
        case Unit.COUNT:
            return f"{value:,}"
        case Unit.DURATION:
            return str(timedelta(seconds=round(value / 1_000)))
        case Unit.INSTANT:
            return f"{from_milliseconds(int(value)):%Y-%m-%d %H:%M} UTC"
        case Unit.RATIO:
            return f"{value:,.3f}"
