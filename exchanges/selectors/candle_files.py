"""Candles that this machine has at hand: uncompressed columns in files, shared by all its processes.

A file is named by the digest of the chunks that it is made of, as the database has them, so it can be
old but never wrong. It is written under another name and then renamed: who reads it reads all of it.
Losing the files, or having no place for them, costs time and nothing else.
"""

import hashlib
import logging
import mmap
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from django.conf import settings

from market.candles import Candles

logger = logging.getLogger(__name__)

#: Raised when the layout changes; part of every file's name and its first bytes.
_LAYOUT: Final = b"candles1"
#: What stands in front of the columns: the layout and the digest, padded to whole items.
_HEAD_BYTES: Final = 64
_COLUMNS: Final = 6
_ITEM_BYTES: Final = 8
#: Shorter series are read from the database in no time, and would be many files.
LEAST_ROWS: Final = 20_000
#: What is left of the folder's limit when room has to be made: not for one file at a time.
_KEPT: Final = 0.8
#: A file that nobody has renamed for so long never will be.
_ABANDONED_S: Final = 3_600
_PRIVATE: Final = 0o700


def is_on() -> bool:
    """Return whether this process keeps candles in files."""
    return settings.CANDLE_CACHE_BYTES > 0


def key_of(chunks: Sequence[tuple[str, int]]) -> str:
    """Return the name of a series that consists of *chunks*: digest and number of bars of each."""
    digest = hashlib.sha256(_LAYOUT)
    for sha256, rows in chunks:
        digest.update(f"{sha256}:{rows};".encode())
    return digest.hexdigest()


def find(key: str, *, rows: int) -> Candles | None:
    """Return the series *key* of *rows* bars if this machine has it.

    Its arrays are mapped from the file: nothing is copied, and what is written into them reaches
    neither the file nor another process.
    """
    path = _folder() / f"{key}.candles"
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            # Ours, and as long and with such a head as it should be: a file that somebody else has put
            # there, one of another system, or one cut off, is none of ours.
            if found.st_uid != os.getuid() or found.st_size != _size_of(rows):
                return None
            if file.read(_HEAD_BYTES) != _head_of(key):
                return None
            # Private and not read-only: compiled functions take one kind of array from everybody.
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        os.utime(path)
    except OSError:
        return None
    bytes_of_column = rows * _ITEM_BYTES
    times, *values = (
        np.frombuffer(
            data, "<f8" if column else "<i8", rows, _HEAD_BYTES + column * bytes_of_column
        )
        for column in range(_COLUMNS)
    )
    return Candles(times, *values)


def keep(key: str, candles: Candles) -> None:
    """Let this machine have *candles* as the series *key*, as far as it has room for them."""
    if _size_of(len(candles)) > settings.CANDLE_CACHE_BYTES * _KEPT:
        return
    folder = _folder()
    try:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to somebody else.")
        _make_room(folder, _size_of(len(candles)))
        number, name = tempfile.mkstemp(dir=folder, suffix=".new")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(_head_of(key))
                for column in candles.columns():
                    file.write(np.ascontiguousarray(column, column.dtype.newbyteorder("<")).data)
            Path(name).replace(folder / f"{key}.candles")
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        logger.warning("candles.not_kept", extra={"folder": str(folder), "reason": str(error)})


def _make_room(folder: Path, size: int) -> None:
    """Remove what was not used for longest if *size* bytes more would be too many."""
    files = []
    for path in folder.iterdir():
        # Another process may be making room as well.
        with suppress(FileNotFoundError):
            found = path.stat()
            files.append((found.st_mtime, found.st_size, path))
    total = sum(own for _, own, _ in files) + size
    if total <= settings.CANDLE_CACHE_BYTES:
        return
    newest = max(used for used, _, _ in files)
    for used, own, path in sorted(files):
        if total <= settings.CANDLE_CACHE_BYTES * _KEPT:
            break
        if path.suffix == ".new" and newest - used < _ABANDONED_S:
            continue
        # Whoever has it mapped goes on reading it.
        path.unlink(missing_ok=True)
        total -= own


def _folder() -> Path:
    return Path(settings.CANDLE_CACHE_FOLDER)


def _size_of(rows: int) -> int:
    return _HEAD_BYTES + rows * _COLUMNS * _ITEM_BYTES


def _head_of(key: str) -> bytes:
    return (_LAYOUT + bytes.fromhex(key)).ljust(_HEAD_BYTES, b"\0")
