"""Candle files in Parquet."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from exchanges import readers
from exchanges.readers.errors import (
    EmptyFileError,
    FileNotReadableError,
    InvalidRowsError,
    MissingColumnError,
    ParquetSupportMissingError,
    TypeMismatchError,
    WrongColumnsError,
)
from exchanges.readers.tables import COLUMNS
from tests.factories.exchanges import make_candles

CANDLES = make_candles([100.0, 101.5, 99.0])


@pytest.fixture
def write(tmp_path: Path):
    def write_file(table: pa.Table) -> Path:
        path = tmp_path / "1h.parquet"
        parquet.write_table(table, path)
        return path

    return write_file


def table_of(**changes: object) -> pa.Table:
    columns = dict(zip(COLUMNS, CANDLES.columns(), strict=True)) | changes
    return pa.table({name: column for name, column in columns.items() if column is not None})


def test_the_columns_come_back(write):
    table = readers.read_candle_file(write(table_of()))

    assert table.candles.rows() == CANDLES.rows()
    assert table.first_row == 1


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_may_be_timestamps_of_any_unit(write, unit):
    times = (
        pa.array(CANDLES.open_time)
        .cast(pa.timestamp("ms", tz="UTC"))
        .cast(pa.timestamp(unit, tz="UTC"))
    )

    table = readers.read_candle_file(write(table_of(timestamp=times)))

    assert np.array_equal(table.candles.open_time, CANDLES.open_time)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"close": None}, MissingColumnError, "'close'"),
        ({"trades": [1, 2, 3]}, WrongColumnsError, "trades"),
        ({"open": ["a", "b", "c"]}, WrongColumnsError, "a"),
        ({"volume": [1.0, None, 2.0]}, InvalidRowsError, "1 row"),
        ({"timestamp": CANDLES.open_time // 1_000}, InvalidRowsError, "3 rows"),
    ],
)
def test_what_is_wrong_is_named(write, changes, error, says):
    with pytest.raises(error, match=says):
        readers.read_candle_file(write(table_of(**changes)))


def test_no_rows_are_an_empty_file(write):
    with pytest.raises(EmptyFileError):
        readers.read_candle_file(write(table_of().slice(0, 0)))


def test_a_damaged_file_is_not_readable(write):
    path = write(table_of())
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(FileNotReadableError):
        readers.read_candle_file(path)


def test_another_format_under_the_name_is_not_opened(tmp_path):
    path = tmp_path / "1h.parquet"
    path.write_bytes(b"PK\x03\x04 and so on")

    with pytest.raises(TypeMismatchError, match="ZIP"):
        readers.read_candle_file(path)


def test_without_the_library_it_says_how_to_get_it(write, monkeypatch):
    path = write(table_of())
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ParquetSupportMissingError, match=r"requirements/parquet\.txt"):
        readers.read_candle_file(path)
