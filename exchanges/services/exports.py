"""Stored candles into a file that ``import_candles`` reads back, bit for bit."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from exchanges.models import Instrument
from exchanges.readers.errors import ParquetSupportMissingError
from exchanges.readers.tables import COLUMNS
from exchanges.selectors import candles as candle_reads
from market.candles import Candles
from market.errors import ConflictError, InvalidInputError, NotFoundError
from market.timeframes import Timeframe

#: So many bars are read and written at once: about 25 MB.
_BARS_AT_ONCE: Final = 500_000

CSV: Final = ".csv"
PARQUET: Final = ".parquet"


class UnknownFormatError(InvalidInputError):
    """The file's name says nothing that candles can be written as."""

    code = "unknown_format"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: name the file .csv or .parquet.")


class FileExistsAlreadyError(ConflictError):
    """There is a file of that name, and it was not said that it may go."""

    code = "exists"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is there already (use --force).")


class FileNotWritableError(InvalidInputError):
    """The file cannot be written there."""

    code = "file_not_writable"

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path}: {(error.strerror or 'no reason given').lower()}.")


class NothingToExportError(NotFoundError):
    """There are no bars in the window."""

    code = "no_candles"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: bars, the open times of the first and the last, and bytes."""

    bars: int
    first_open_ms: int
    last_open_ms: int
    bytes: int


def export_candles(
    path: Path,
    *,
    instrument: Instrument,
    timeframe: Timeframe,
    from_ms: int,
    to_ms: int,
    may_replace: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> Exported:
    """Write the bars that open in ``[from_ms, to_ms)`` to *path*, as CSV or Parquet by its name.

    The file appears whole or not at all. *on_progress* is told how many bars are written. Raises
    UnknownFormatError, FileExistsAlreadyError, FileNotWritableError, NothingToExportError or
    ParquetSupportMissingError.
    """
    if path.suffix not in {CSV, PARQUET}:
        raise UnknownFormatError(path)
    if path.exists() and not may_replace:
        raise FileExistsAlreadyError(path)
    coverage = candle_reads.coverage(instrument_id=instrument.pk, timeframe=timeframe)
    parts = _parts(instrument.pk, timeframe, from_ms, to_ms) if coverage else iter(())
    bars, first, last = 0, 0, 0
    try:
        with _in_one_go(path) as draft:
            writing = _writing_csv(draft) if path.suffix == CSV else _writing_parquet(draft)
            with writing as write:
                for part in parts:
                    write(part)
                    first = first if bars else int(part.open_time[0])
                    last = int(part.open_time[-1])
                    bars += len(part)
                    if on_progress is not None:
                        on_progress(bars)
            if not bars:
                message = f"There are no {timeframe} candles of {instrument.symbol} in that window."
                raise NothingToExportError(message)
    except OSError as error:
        raise FileNotWritableError(path, error) from error
    return Exported(bars, first, last, path.stat().st_size)


def _parts(instrument_id: int, timeframe: Timeframe, from_ms: int, to_ms: int) -> Iterator[Candles]:
    extent = candle_reads.extents(instrument_ids=[instrument_id], timeframe=timeframe)
    first_at, last_at = extent[instrument_id]
    step = _BARS_AT_ONCE * timeframe.milliseconds
    start = max(from_ms, int(first_at.timestamp() * 1_000))
    end = min(to_ms, int(last_at.timestamp() * 1_000) + 1)
    while start < end:
        part = candle_reads.load_candles(
            instrument_id=instrument_id,
            timeframe=timeframe,
            from_ms=start,
            to_ms=min(start + step, end),
        )
        if len(part):
            yield part
        start += step


@contextmanager
def _in_one_go(path: Path) -> Iterator[Path]:
    """Give a draft beside *path* that takes its place at the end, and goes away after a failure."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _writing_csv(draft: Path) -> Iterator[Callable[[Candles], None]]:
    with draft.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        yield lambda part: _write_lines(file, part)


def _write_lines(file: TextIO, part: Candles) -> None:
    # repr is the shortest text that reads back as the same number.
    file.writelines(
        f"{at},{o!r},{h!r},{low!r},{c!r},{v!r}\n" for at, o, h, low, c, v in part.rows()
    )


@contextmanager
def _writing_parquet(draft: Path) -> Iterator[Callable[[Candles], None]]:
    try:
        # Optional and heavy (60 MB): only those who export Parquet need it.
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise ParquetSupportMissingError(
            "Parquet needs the library pyarrow: pip install -r requirements/parquet.txt"
        ) from None
    schema: Any = pa.schema(
        [
            ("timestamp", pa.timestamp("ms", tz="UTC")),
            *((name, pa.float64()) for name in COLUMNS[1:]),
        ]
    )
    with parquet.ParquetWriter(draft, schema, compression="zstd") as writer:
        yield lambda part: writer.write_table(
            pa.table(dict(zip(COLUMNS, part.columns(), strict=True))).cast(schema)
        )
