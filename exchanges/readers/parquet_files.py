"""Candles in Parquet, read with the optional library pyarrow."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exchanges.domain.checks import RowProblem
from exchanges.readers.errors import (
    EmptyFileError,
    FileNotReadableError,
    FileTooLargeError,
    InvalidRowsError,
    MissingColumnError,
    ParquetSupportMissingError,
    WrongColumnsError,
)
from exchanges.readers.tables import COLUMNS, CandleTable, to_milliseconds_column
from market.candles import Candles

_MOST_ROWS: Final = 5_000_000
_MOST_NAMED: Final = 20


def read_parquet(path: Path) -> CandleTable:
    """Return the bars of a Parquet file with the columns of candles; raise CandleFileError."""
    try:
        # Optional and heavy (60 MB): only those who import Parquet need it.
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise ParquetSupportMissingError(
            "Parquet needs the library pyarrow: pip install -r requirements/parquet.txt"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            _check_shape(path.name, file.schema_arrow.names, file.metadata.num_rows)
            table = file.read(columns=list(COLUMNS))
    except (pa.ArrowException, OSError) as error:
        raise FileNotReadableError(f"{path.name}: {str(error).splitlines()[0][:200]}") from None
    _refuse_nulls(table)
    try:
        times = _times(table.column("timestamp"), pa)
        values = [
            np.ascontiguousarray(table.column(name).cast(pa.float64()).to_numpy())
            for name in COLUMNS[1:]
        ]
    except pa.ArrowException as error:
        raise WrongColumnsError(f"{path.name}: {str(error).splitlines()[0][:200]}") from None
    milliseconds, problems = to_milliseconds_column(times)
    if problems:
        raise InvalidRowsError(problems[:_MOST_NAMED], count=len(problems), first_row=1)
    return CandleTable(Candles(milliseconds, *values), first_row=1)


def _check_shape(name: str, columns: list[str], row_count: int) -> None:
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        found = ", ".join(columns)[:80]
        raise MissingColumnError(f"{name}: '{missing[0]}' is missing (found: {found})")
    if len(columns) != len(COLUMNS):
        others = sorted(set(columns) - set(COLUMNS)) or ["a column twice"]
        raise WrongColumnsError(f"{name}: unexpected columns: {', '.join(others)[:80]}.")
    if not row_count:
        raise EmptyFileError(f"{name} has no rows.")
    if row_count > _MOST_ROWS:
        raise FileTooLargeError(f"{name}: {row_count:,} rows > {_MOST_ROWS:,}; split it by month.")


# The library ships no types, so its tables, columns and module are Any.
def _refuse_nulls(table: Any) -> None:
    for name in COLUMNS:
        column = table.column(name)
        if column.null_count:
            index = int(np.flatnonzero(column.is_null().to_numpy())[0])
            problem = RowProblem(index, "not_a_number", f"{name}: the value is missing")
            raise InvalidRowsError([problem], count=int(column.null_count), first_row=1)


def _times(column: Any, pa: Any) -> NDArray[np.int64]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", tz=column.type.tz))
    return np.ascontiguousarray(column.cast(pa.int64()).to_numpy())
