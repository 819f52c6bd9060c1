"""Candles in CSV: the column order of exchanges, or the kline layout that Binance publishes."""

import csv
import re
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from exchanges.domain.checks import RowProblem
from exchanges.readers.errors import (
    EmptyFileError,
    FileNotReadableError,
    InvalidEncodingError,
    InvalidRowsError,
    MissingColumnError,
    WrongColumnsError,
)
from exchanges.readers.tables import COLUMNS, CandleTable, to_milliseconds_column
from market.candles import Candles

#: The layout of the files at data.binance.vision, with or without this header.
_KLINE_COLUMNS: Final = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip

_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_MOST_NAMED: Final = 20


def read_csv(path: Path) -> CandleTable:
    """Return the bars of a CSV file with times in milliseconds or microseconds; raise CandleFileError."""
    lines = _text(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise EmptyFileError(f"{path.name} is empty.")
    order, width, has_header = _layout(path.name, lines[0])
    body = lines[1:] if has_header else lines
    first_row = 2 if has_header else 1
    if not body:
        raise EmptyFileError(f"{path.name} has a header and no rows.")
    times, values = _numbers(body, order=order, width=width, first_row=first_row)
    milliseconds, problems = to_milliseconds_column(times)
    if problems:
        raise InvalidRowsError(problems[:_MOST_NAMED], count=len(problems), first_row=first_row)
    return CandleTable(Candles(milliseconds, *values), first_row)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileNotReadableError(f"{path}: {error.strerror or error}") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidEncodingError(f"{path.name} is UTF-16; save it as UTF-8.")
    nul = data.find(b"\0")
    if nul >= 0:
        raise InvalidEncodingError(f"{path.name}: not text, a zero byte at byte {nul}.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidEncodingError(f"{path.name}: not UTF-8 at byte {error.start}.") from None


def _layout(name: str, first_line: str) -> tuple[Sequence[int], int, bool]:
    """Return where the six columns are, how many columns there are, and whether a header names them."""
    cells = [cell.strip().strip('"') for cell in first_line.split(",")]
    if _NUMBER.fullmatch(cells[0]):
        if len(cells) not in {len(COLUMNS), len(_KLINE_COLUMNS)}:
            raise WrongColumnsError(
                f"{name} has {len(cells)} columns; expected {len(COLUMNS)} ({','.join(COLUMNS)})"
                f" or the {len(_KLINE_COLUMNS)} of Binance klines."
            )
        return range(len(COLUMNS)), len(cells), False
    if tuple(cells[: len(COLUMNS)]) == _KLINE_COLUMNS[: len(COLUMNS)] and len(cells) == len(
        _KLINE_COLUMNS
    ):
        return range(len(COLUMNS)), len(cells), True
    missing = [column for column in COLUMNS if column not in cells]
    if missing:
        delimiter = next((mark for mark in ";\t|" if mark in first_line), "")
        hint = f"; is the delimiter {delimiter!r}?" if delimiter else ""
        raise MissingColumnError(
            f"{name}: '{missing[0]}' is missing (found: {first_line[:80]}){hint}"
        )
    if len(cells) != len(COLUMNS):
        others = sorted(set(cells) - set(COLUMNS)) or ["a column twice"]
        raise WrongColumnsError(f"{name}: unexpected columns: {', '.join(others)[:80]}.")
    return [cells.index(column) for column in COLUMNS], len(cells), True


def _numbers(
    lines: Sequence[str], *, order: Sequence[int], width: int, first_row: int
) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
    times = array("q")
    columns = [array("d") for _ in COLUMNS[1:]]
    at, *places = order
    problems: list[RowProblem] = []
    count = 0
    # int() and float() also take 1_000 and the digits of other scripts: where there may be any, look closely.
    plain = all(line.isascii() and "_" not in line for line in lines)
    for index, cells in enumerate(_cells(lines)):
        row = _row(cells, at, places) if len(cells) == width and (plain or _strict(cells)) else None
        if row is None:
            count += 1
            if count <= _MOST_NAMED:
                problems.append(_problem(index, cells, order=order, width=width))
            continue
        times.append(row[0])
        for column, number in zip(columns, row[1], strict=True):
            column.append(number)
    if problems:
        raise InvalidRowsError(problems, count=count, first_row=first_row)
    return (
        np.frombuffer(times, dtype=np.int64).copy(),
        [np.frombuffer(column, dtype=np.float64).copy() for column in columns],
    )


def _cells(lines: Sequence[str]) -> Iterable[list[str]]:
    if any('"' in line for line in lines):
        return csv.reader(lines)
    return (line.split(",") for line in lines)


def _strict(cells: Sequence[str]) -> bool:
    return all(_NUMBER.fullmatch(cell) for cell in cells)


def _row(cells: Sequence[str], at: int, places: Sequence[int]) -> tuple[int, list[float]] | None:
    try:
        time = int(cells[at])
        return (time, [float(cells[place]) for place in places]) if abs(time) < 2**62 else None
    except ValueError:
        return None


def _problem(index: int, cells: list[str], *, order: Sequence[int], width: int) -> RowProblem:
    if len(cells) != width:
        return RowProblem(index, "wrong_columns", f"{len(cells)} columns, expected {width}")
    for name, place in zip(COLUMNS, order, strict=True):
        shown = cells[place][:40]
        if not _NUMBER.fullmatch(cells[place]):
            return RowProblem(index, "not_a_number", f"{name}: '{shown}' is not a decimal number")
        if name == "timestamp" and not cells[place].strip().isdecimal():
            return RowProblem(index, "not_a_number", f"{name}: '{shown}' is no whole number")
    return RowProblem(index, "not_a_number", "a value is not a number that can be stored")
