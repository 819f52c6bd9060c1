"""What faults do to lists and candles after the truth was read."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from exchanges.simulator.fault_kinds import FaultKind
from exchanges.simulator.requests import Answer
from exchanges.simulator.rules import Rule

#: Places in a row of candles, as the protocol has them.
_OPENED, _OPEN, _HIGH, _LOW, _CLOSE, _VOLUME, _CLOSED = range(7)
_QUOTE_VOLUME, _COUNT, _TAKER_VOLUME, _TAKER_QUOTE_VOLUME = range(7, 11)

Rows = list[Any]


def distort(answer: Answer, rules: Sequence[Rule], *, now_ms: int) -> Answer:
    """Return *answer* as the rules want it; what is no list of rows stays as it is."""
    if not rules or answer.status != 200:
        return answer
    rows = json.loads(answer.content)
    if not isinstance(rows, list):
        return answer
    for rule in rules:
        rows = _DISTORTIONS[rule.kind](rows, rule.settings, now_ms)
    return Answer(answer.status, Answer.of(rows).content, answer.content_type, answer.headers)


def _late(rows: Rows, settings: Mapping[str, Any], now_ms: int) -> Rows:
    newest_ms = now_ms - int(settings["late_ms"])
    return [row for row in rows if row[_CLOSED] < newest_ms]


def _finished(rows: Rows, settings: Mapping[str, Any], now_ms: int) -> int | None:
    """Return the place of the finished bar that is so many bars back, or None if there is none."""
    places = [place for place, row in enumerate(rows) if row[_CLOSED] < now_ms]
    back = int(settings["back"])
    return places[-1 - back] if len(places) > back else None


def _changing(
    change: Callable[[Rows, Mapping[str, Any]], list[Rows]],
) -> Callable[[Rows, Mapping[str, Any], int], Rows]:
    """Return what puts the rows that *change* makes of a finished bar in its place."""

    def distorted(rows: Rows, settings: Mapping[str, Any], now_ms: int) -> Rows:
        place = _finished(rows, settings, now_ms)
        if place is None:
            return rows
        return [*rows[:place], *change(list(rows[place]), settings), *rows[place + 1 :]]

    return distorted


def _revised(row: Rows, settings: Mapping[str, Any]) -> list[Rows]:
    factor = 1 + Decimal(str(settings["bps"])) / 10_000
    for place in (_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME):
        row[place] = f"{Decimal(row[place]) * factor:.8f}"
    return [row]


def _without_trades(row: Rows, settings: Mapping[str, Any]) -> list[Rows]:
    row[_HIGH] = row[_LOW] = row[_CLOSE] = row[_OPEN]
    for place in (_VOLUME, _QUOTE_VOLUME, _TAKER_VOLUME, _TAKER_QUOTE_VOLUME):
        row[place] = "0.00000000"
    row[_COUNT] = 0
    return [row]


def _impossible(row: Rows, settings: Mapping[str, Any]) -> list[Rows]:
    row[_HIGH], row[_LOW] = f"{Decimal(row[_LOW]) / 2:.8f}", row[_HIGH]
    return [row]


def _future(rows: Rows, settings: Mapping[str, Any], now_ms: int) -> Rows:
    if not rows:
        return rows
    last = list(rows[-1])
    step = (last[_CLOSED] + 1 - last[_OPENED]) * int(settings["ahead"])
    last[_OPENED], last[_CLOSED] = last[_OPENED] + step, last[_CLOSED] + step
    return [*rows, last]


_DISTORTIONS: Final[Mapping[FaultKind, Callable[[Rows, Mapping[str, Any], int], Rows]]] = {
    FaultKind.CANDLE_LATE: _late,
    FaultKind.CANDLE_REVISED: _changing(_revised),
    FaultKind.CANDLE_MISSING: _changing(lambda row, settings: []),
    FaultKind.CANDLE_DUPLICATED: _changing(lambda row, settings: [row, row]),
    FaultKind.CANDLE_FUTURE: _future,
    FaultKind.CANDLE_ZERO_VOLUME: _changing(_without_trades),
    FaultKind.CANDLE_IMPOSSIBLE: _changing(_impossible),
    FaultKind.TRADES_OUT_OF_ORDER: lambda rows, settings, now_ms: rows[::-1],
    FaultKind.TRADES_DUPLICATED: lambda rows, settings, now_ms: [
        row for row in rows for _ in range(2)
    ],
    FaultKind.LIST_TRUNCATED: lambda rows, settings, now_ms: rows[: int(settings["rows"])],
}
