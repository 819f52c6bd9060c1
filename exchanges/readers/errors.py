"""Why a candle file cannot be imported."""

from collections.abc import Sequence

from exchanges.domain.checks import RowProblem
from market.errors import FieldProblem, InvalidInputError


class CandleFileError(InvalidInputError):
    """A candle file that cannot be used; nothing of it was stored."""

    code = "invalid_file"


class FileNotReadableError(CandleFileError):
    """The file is absent, a folder, forbidden or damaged."""

    code = "file_not_readable"


class EmptyFileError(CandleFileError):
    """There is no bar in the file."""

    code = "empty_file"


class FileTooLargeError(CandleFileError):
    """The file is larger than what is read at once."""

    code = "file_too_large"


class ArchiveNotAllowedError(CandleFileError):
    """Archives are not opened."""

    code = "archive_not_allowed"


class TypeMismatchError(CandleFileError):
    """The content is not what the name says."""

    code = "type_mismatch"


class InvalidEncodingError(CandleFileError):
    """The text is not UTF-8."""

    code = "invalid_encoding"


class MissingColumnError(CandleFileError):
    """The header does not name the columns of candles."""

    code = "missing_column"


class WrongColumnsError(CandleFileError):
    """There are more or other columns than those of candles."""

    code = "wrong_columns"


class ParquetSupportMissingError(CandleFileError):
    """The optional library for Parquet is not installed."""

    code = "parquet_support_missing"


class UnknownSeriesError(CandleFileError):
    """Neither the path nor the arguments say which instrument and timeframe these bars are."""

    code = "unknown_series"


class TimeframeMismatchError(CandleFileError):
    """The bars are those of another timeframe."""

    code = "timeframe_mismatch"


class InvalidRowsError(CandleFileError):
    """Some rows are impossible; ``problems`` has the first twenty, ``count`` says how many there are."""

    code = "invalid_rows"

    def __init__(self, problems: Sequence[RowProblem], *, count: int, first_row: int) -> None:
        self.count = count
        named = [
            FieldProblem(
                field=f"row {problem.index + first_row}",
                code=problem.code,
                message=f"row {problem.index + first_row}: {problem.message}",
            )
            for problem in problems
        ]
        rows = "row is" if count == 1 else "rows are"
        super().__init__(f"{count:,} {rows} not valid; nothing was stored.", problems=named)
