"""Candle files in CSV: what is read, and how what is wrong is named."""

from pathlib import Path

import pytest

from exchanges import readers
from exchanges.readers.errors import (
    ArchiveNotAllowedError,
    CandleFileError,
    EmptyFileError,
    FileNotReadableError,
    InvalidEncodingError,
    InvalidRowsError,
    MissingColumnError,
    TypeMismatchError,
    WrongColumnsError,
)
from tests.factories.exchanges import NEW_YEAR_MS

HEADER = "timestamp,open,high,low,close,volume\n"
ROW = f"{NEW_YEAR_MS},100.5,101,99.5,100,12.25\n"
NEXT = f"{NEW_YEAR_MS + 60_000},100,1.02e2,99,101,0\n"
VALUES = [
    (NEW_YEAR_MS, 100.5, 101.0, 99.5, 100.0, 12.25),
    (NEW_YEAR_MS + 60_000, 100.0, 102.0, 99.0, 101.0, 0.0),
]
KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)


def kline(row: str, *, factor: int = 1) -> str:
    time, rest = row.strip().split(",", 1)
    opened = int(time) * factor
    return f"{opened},{rest},{opened + 60_000 * factor - 1},1225.0,7,6.1,610.0,0\n"


@pytest.fixture
def write(tmp_path: Path):
    def write_file(content: str | bytes, name: str = "1m.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


class TestWhatIsRead:
    @pytest.mark.parametrize(
        "content",
        [
            HEADER + ROW + NEXT,
            ROW + NEXT,
            "\ufeff" + HEADER + ROW + NEXT,
            (HEADER + ROW + NEXT).replace("\n", "\r\n"),
            HEADER + ROW.replace("\n", "\r\n") + NEXT + "\n\n",
            KLINE_HEADER + kline(ROW) + kline(NEXT),
            kline(ROW) + kline(NEXT),
            kline(ROW, factor=1_000) + kline(NEXT, factor=1_000),
            HEADER + ROW.replace("100.5", '"100.5"') + NEXT,
        ],
        ids=[
            "header",
            "no header",
            "byte order mark",
            "line ends of Windows",
            "mixed line ends",
            "klines with header",
            "klines",
            "klines in microseconds",
            "quoted",
        ],
    )
    def test_every_usual_layout_gives_the_same_bars(self, write, content):
        assert readers.read_candle_file(write(content)).candles.rows() == VALUES

    def test_columns_are_found_by_their_names(self, write):
        content = f"close,timestamp,open,high,low,volume\n100,{NEW_YEAR_MS},100.5,101,99.5,12.25\n"

        assert readers.read_candle_file(write(content)).candles.rows() == VALUES[:1]

    def test_the_first_row_is_the_line_in_the_file(self, write):
        assert readers.read_candle_file(write(HEADER + ROW)).first_row == 2
        assert readers.read_candle_file(write(ROW)).first_row == 1

    def test_the_fingerprint_is_that_of_the_content(self, write):
        one, other = write(ROW, "one.csv"), write(ROW, "other.csv")

        assert readers.fingerprint(one) == readers.fingerprint(other)
        assert readers.fingerprint(one) != readers.fingerprint(write(NEXT))


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("content", "error", "says"),
        [
            (b"", EmptyFileError, "empty"),
            (HEADER.encode(), EmptyFileError, "no rows"),
            (b"\n\n", EmptyFileError, "empty"),
            (HEADER.replace(",", ";").encode() + b"1;2", MissingColumnError, "delimiter ';'"),
            (HEADER.title().encode() + ROW.encode(), MissingColumnError, "Open,High"),
            (HEADER.replace(",close", "").encode() + b"1", MissingColumnError, "'close'"),
            (HEADER.replace("\n", ",open\n").encode(), WrongColumnsError, "twice"),
            (HEADER.replace("\n", ",trades\n").encode(), WrongColumnsError, "trades"),
            (b"1704067200000,1,2,3\n", WrongColumnsError, "4 columns"),
            ((HEADER + ROW).encode("utf-16"), InvalidEncodingError, "UTF-16"),
            (HEADER.encode() + b"\xe9,1,1,1,1,1", InvalidEncodingError, "byte 37"),
            (HEADER.encode() + b"\0" * 20, InvalidEncodingError, "zero byte at byte 37"),
            (b"PK\x03\x04 and so on", TypeMismatchError, "ZIP"),
            (b"\x1f\x8b\x08 and so on", TypeMismatchError, "gzip"),
            (b"PAR1 and so on", TypeMismatchError, "Parquet, expected CSV"),
        ],
    )
    def test_the_file_as_a_whole(self, write, content, error, says):
        with pytest.raises(error, match=says):
            readers.read_candle_file(write(content))

    def test_an_absent_file_a_folder_an_archive_and_an_unknown_kind(self, write, tmp_path):
        with pytest.raises(FileNotReadableError):
            readers.read_candle_file(tmp_path / "absent.csv")
        with pytest.raises(FileNotReadableError):
            readers.read_candle_file(tmp_path)
        with pytest.raises(ArchiveNotAllowedError, match="unpack"):
            readers.read_candle_file(write(b"PK\x03\x04", "BTCUSDT-1m-2024-01.zip"))
        with pytest.raises(TypeMismatchError):
            readers.read_candle_file(write(ROW, "candles.txt"))

    def test_a_file_that_is_too_large_is_refused_before_it_is_read(self, tmp_path):
        path = tmp_path / "1m.csv"
        with path.open("wb") as file:
            file.truncate(readers.LARGEST_BYTES + 1)

        with pytest.raises(CandleFileError) as caught:
            readers.read_candle_file(path)

        assert caught.value.code == "file_too_large"

    @pytest.mark.parametrize(
        ("cell", "code"),
        [
            ("", "not_a_number"),
            ("abc", "not_a_number"),
            ('"1,234.5"', "not_a_number"),
            ("1_000", "not_a_number"),
            ("\uff11\uff12", "not_a_number"),
            ("0x10", "not_a_number"),
            ("1,5", "wrong_columns"),
        ],
    )
    def test_a_cell_that_is_no_number_is_named_with_its_row(self, write, cell, code):
        content = HEADER + ROW + NEXT.replace(",101,", f",{cell},")

        with pytest.raises(InvalidRowsError) as caught:
            readers.read_candle_file(write(content))

        [problem] = caught.value.problems
        assert (problem.field, problem.code) == ("row 3", code)
        assert problem.message.startswith("row 3: ")

    @pytest.mark.parametrize(
        ("time", "code", "says"),
        [
            (str(NEW_YEAR_MS // 1_000), "timestamp_in_seconds", "seconds"),
            (str(NEW_YEAR_MS * 1_000_000), "timestamp_out_of_range", "no time"),
            ("0", "timestamp_out_of_range", "no time"),
            ("-5", "timestamp_out_of_range", "no time"),
            (str(NEW_YEAR_MS * 1_000 + 1), "off_grid", "between two milliseconds"),
            ("2024-01-01T00:00:00Z", "not_a_number", "not a decimal number"),
            (f"{NEW_YEAR_MS}.0", "not_a_number", "no whole number"),
            ("9" * 30, "not_a_number", "cannot be stored|number"),
        ],
    )
    def test_a_time_in_another_unit_is_named(self, write, time, code, says):
        content = HEADER + ROW + NEXT.replace(str(NEW_YEAR_MS + 60_000), time)

        with pytest.raises(InvalidRowsError) as caught:
            readers.read_candle_file(write(content))

        [problem] = caught.value.problems
        assert (problem.field, problem.code) == ("row 3", code)

    def test_the_first_twenty_rows_are_named_and_all_are_counted(self, write):
        with pytest.raises(InvalidRowsError) as caught:
            readers.read_candle_file(write(HEADER + "x,1,1,1,1,1\n" * 1_000))

        assert caught.value.count == 1_000
        assert len(caught.value.problems) == 20
        assert "1,000 rows" in caught.value.message
