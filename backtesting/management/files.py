"""Where commands of backtesting write what they were asked for."""

from collections.abc import Iterable
from pathlib import Path

from market.errors import InvalidInputError


class UnwritableFileError(InvalidInputError):
    """The file cannot be written there."""

    code = "unwritable_file"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} cannot be written: {reason}.")


def write(path: str, parts: Iterable[str]) -> None:
    """Write *parts* to the file at *path*, over what is there; raise UnwritableFileError."""
    try:
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            file.writelines(parts)
    except OSError as error:
        reason = (error.strerror or "no reason given").lower()
        raise UnwritableFileError(path, reason) from error
