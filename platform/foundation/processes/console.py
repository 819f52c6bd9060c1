"""One terminal for many processes: each line carries the name of the process that wrote it."""

import os
import sys
from collections.abc import Mapping
from typing import Final, TextIO

_RESET: Final = "\x1b[0m"
_BOLD: Final = "\x1b[1m"
_ALERT: Final = "\x1b[1;31m"
#: Colors of the eight-color palette that are readable on dark and on light.
_COLORS: Final = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
_NAME_WIDTH: Final = 15
_LONGEST_LINE: Final = 16_384


class Console:
    """Writes whole lines with a prefix; ``is_open`` turns false when nobody can read them."""

    def __init__(
        self, stream: TextIO | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._stream = stream if stream is not None else sys.stdout
        environment = os.environ if environment is None else environment
        wants_color = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        self._colored = wants_color and self._stream.isatty()
        self._colors: dict[str, str] = {}
        self._unfinished: dict[str, bytes] = {}
        self.is_open = True

    def feed(self, name: str, data: bytes) -> None:
        """Take what process *name* has written, and print the lines that are complete."""
        *lines, rest = (self._unfinished.pop(name, b"") + data).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        for line in lines:
            self.line(name, line.decode(errors="replace").rstrip("\r"))
        if rest:
            self._unfinished[name] = rest

    def flush(self, name: str) -> None:
        """Print the last line of a process that ended without a line break."""
        rest = self._unfinished.pop(name, b"")
        if rest:
            self.line(name, rest.decode(errors="replace"))

    def line(self, name: str, text: str) -> None:
        """Print one line of process *name*."""
        self._write(f"{self._paint(name, self._color_of(name))} {text}\n")

    def say(self, text: str, *, alert: bool = False) -> None:
        """Print one line of the supervisor itself."""
        painted = f"{_ALERT}{text}{_RESET}" if alert and self._colored else text
        self._write(f"{self._paint('up', _BOLD)} {painted}\n")

    def banner(self, lines: list[str]) -> None:
        """Print a block that stands out from the logs."""
        body = "\n".join(f"  {line}".rstrip() for line in lines)
        rule = "-" * 100
        self._write(f"\n{rule}\n{body}\n{rule}\n\n")

    def _color_of(self, name: str) -> str:
        color = self._colors.setdefault(name, _COLORS[len(self._colors) % len(_COLORS)])
        return f"\x1b[{color}m"

    def _paint(self, name: str, code: str) -> str:
        label = f"{name:<{_NAME_WIDTH}} |"
        return f"{code}{label}{_RESET}" if self._colored else label

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self.is_open = False
