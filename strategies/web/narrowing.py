"""The catalogue narrowed down and put in order: some dozens of entries, so in memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from strategies.selectors.entries import Entry, Market
from strategies.shapes import Risk

_RISKS: Final = tuple(each.value for each in Risk)
#: Stands behind everything that has a figure.
_LAST: Final = float("inf")


def narrow(entries: Sequence[Entry], wanted: Mapping[str, str]) -> list[Entry]:
    """Return the entries that fit *wanted* (fields of the form), in the order that it names."""
    found = [entry for entry in entries if _fits(entry, wanted)]
    key = _ORDERS.get(wanted.get("sort", ""))
    return sorted(found, key=key) if key else found


def _fits(entry: Entry, wanted: Mapping[str, str]) -> bool:
    strategy = entry.strategy
    needle = wanted.get("q", "").casefold()
    return (
        wanted.get("category", strategy.category) == strategy.category
        and wanted.get("risk", strategy.risk) == strategy.risk
        and wanted.get("timeframe", strategy.suggested_timeframe) == strategy.suggested_timeframe
        and (wanted.get("market") != "spot" or entry.market is Market.ANY)
        and (wanted.get("price") != "free" or not entry.prices)
        and (wanted.get("price") != "paid" or bool(entry.prices))
        and (not needle or any(needle in text.casefold() for text in _texts(entry)))
    )


def _texts(entry: Entry) -> tuple[str, ...]:
    strategy = entry.strategy
    return (
        strategy.name,
        strategy.slug,
        strategy.summary,
        strategy.description,
        strategy.category.replace("_", " "),
    )


def _shown(entry: Entry, metric: str) -> float | None:
    if not entry.evidence:
        return None
    value = entry.evidence[0].metrics["values"].get(metric)
    return None if value is None else float(value)


def _by_return(entry: Entry) -> tuple[float, str]:
    value = _shown(entry, "total_return")
    return (_LAST if value is None else -value, entry.strategy.name)


def _by_drawdown(entry: Entry) -> tuple[float, str]:
    value = _shown(entry, "max_drawdown")
    return (_LAST if value is None else abs(value), entry.strategy.name)


_ORDERS: Final[Mapping[str, Callable[[Entry], Any]]] = {
    "name": lambda entry: entry.strategy.name.casefold(),
    "risk": lambda entry: (_RISKS.index(entry.strategy.risk), entry.strategy.name),
    "return": _by_return,
    "drawdown": _by_drawdown,
    "newest": lambda entry: -entry.strategy.pk,
}
