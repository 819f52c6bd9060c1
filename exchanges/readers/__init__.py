"""Reading candle files: bytes in, columns out, and for anything odd the row and the reason."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from exchanges.readers.csv_files import read_csv
from exchanges.readers.errors import (
    ArchiveNotAllowedError,
    EmptyFileError,
    FileNotReadableError,
    FileTooLargeError,
    TypeMismatchError,
)
from exchanges.readers.parquet_files import read_parquet
from exchanges.readers.tables import CandleTable

#: Larger files are refused before they are opened.
LARGEST_BYTES: Final = 100 * 2**20

_READERS: Final[Mapping[str, Callable[[Path], CandleTable]]] = {
    ".csv": read_csv,
    ".parquet": read_parquet,
}
_ARCHIVES: Final = frozenset({".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".tar", ".rar"})
_SIGNATURES: Final = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"PAR1", "Parquet"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\x7fELF", "a program"),
)


def is_candle_file(path: Path) -> bool:
    """Tell by the extension whether *path* may hold candles."""
    return path.suffix.lower() in _READERS


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's content; raise CandleFileError if it is empty, too large or not readable."""
    _check_size(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FileNotReadableError(f"{path}: {error.strerror or error}") from None


def read_candle_file(path: Path) -> CandleTable:
    """Return the bars of a CSV or Parquet file; raise a subclass of CandleFileError if it cannot be read."""
    _check_size(path)
    suffix = path.suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        raise TypeMismatchError(f"{path.name} is neither .csv nor .parquet.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise FileNotReadableError(f"{path}: {error.strerror or error}") from None
    for signature, kind in _SIGNATURES:
        if head.startswith(signature) and not (suffix == ".parquet" and kind == "Parquet"):
            raise TypeMismatchError(f"{path.name} is {kind}, expected {suffix[1:].upper()}.")
    return reader(path)


def _check_size(path: Path) -> None:
    if path.suffix.lower() in _ARCHIVES:
        raise ArchiveNotAllowedError(f"{path.name} is an archive; unpack it first.")
    try:
        if not path.is_file():
            raise FileNotReadableError(f"{path}: is no file")
        size = path.stat().st_size
    except OSError as error:
        raise FileNotReadableError(f"{path}: {error.strerror or error}") from None
    if not size:
        raise EmptyFileError(f"{path.name} is empty.")
    if size > LARGEST_BYTES:
        raise FileTooLargeError(
            f"{path.name}: {size / 2**20:.0f} MB > {LARGEST_BYTES // 2**20} MB; split it by month."
        )
