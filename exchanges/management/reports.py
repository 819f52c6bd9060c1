"""How the commands of the candle store speak: progress and outcomes."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from exchanges.services.imports import FileOutcome, ImportStatus
from foundation.commands import REFUSED

#: The status of a process that a person stopped with Ctrl-C.
INTERRUPTED: Final = 130

_ROW_LIMIT: Final = 20


class ImportReport:
    """Tells a person what becomes of each file: one changing line on a terminal, else a line a file."""

    def __init__(self, output: TextIO, errors: TextIO, *, total: int | None = None) -> None:
        self._output = output
        self._errors = errors
        self._total = total
        self._is_terminal = output.isatty()
        self._counts: Counter[ImportStatus] = Counter()
        self._bars = 0

    @property
    def has_failures(self) -> bool:
        """Whether any file could not be imported."""
        return self._counts[ImportStatus.FAILED] > 0

    def add(self, outcome: FileOutcome) -> None:
        """Say what became of a file."""
        self._counts[outcome.status] += 1
        self._bars += outcome.added
        count = sum(self._counts.values())
        place = f"{count}/{self._total}" if self._total else str(count)
        line = f"[{place}] {_describe(outcome)}"
        # What a person has to read stays; what merely went well is overwritten by the next line.
        stays = outcome.notes or outcome.status in {ImportStatus.FAILED, ImportStatus.SKIPPED}
        if self._is_terminal:
            self._write(f"\r\033[K{line}\n" if stays else f"\r\033[K{line[: _width()]}")
        else:
            self._write(line + "\n")
        for note in outcome.notes:
            self._write(f"    {note}\n")
        if outcome.status is ImportStatus.FAILED:
            self._fail(outcome)

    def conclude(self) -> None:
        """Add up."""
        counts = self._counts
        parts = [
            f"{counts[ImportStatus.IMPORTED]} imported",
            f"{counts[ImportStatus.ALREADY_IMPORTED]} already imported",
            f"{counts[ImportStatus.SKIPPED]} skipped",
            f"{counts[ImportStatus.FAILED]} failed",
        ]
        start = "\r\033[K" if self._is_terminal else ""
        self._write(f"{start}{self._bars:,} new bars; files: {', '.join(parts)}.\n")

    def interrupt(self) -> None:
        """Say that the person stopped it, and what that means."""
        done = sum(self._counts.values())
        self._write(f"\nStopped after {done} files; nothing of the file under way was stored.\n")

    def _fail(self, outcome: FileOutcome) -> None:
        self._errors.write(f"error: {outcome.code}: {outcome.path}: {outcome.message}\n")
        for problem in outcome.problems[:_ROW_LIMIT]:
            self._errors.write(f"    {problem.message} ({problem.code})\n")
        self._errors.flush()

    def _write(self, text: str) -> None:
        encoding = getattr(self._output, "encoding", None) or "utf-8"
        self._output.write(text.encode(encoding, "replace").decode(encoding))
        self._output.flush()


@contextmanager
def stopping(say_so: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C (130, after *say_so*) and a reader that went away (0) end the process without a trace."""
    try:
        yield
    except KeyboardInterrupt:
        say_so()
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has gone; what is still buffered would complain once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


@contextmanager
def reporting(*, total: int | None = None) -> Iterator[ImportReport]:
    """Give a report of *total* files, add up at its end, and end the process as its outcome asks for.

    The status is 1 if a file failed. Ctrl-C (130) and a closed pipe (0) keep what has been imported so far.
    """
    report = ImportReport(sys.stdout, sys.stderr, total=total)
    with stopping(report.interrupt):
        yield report
        report.conclude()
    if report.has_failures:
        sys.exit(REFUSED)


def _describe(outcome: FileOutcome) -> str:
    name = f"{outcome.path.parent.name}/{outcome.path.name}"
    if outcome.status is ImportStatus.SKIPPED:
        return f"{name}: skipped, {outcome.message}"
    series = f"{outcome.symbol or '?'} {outcome.timeframe or '?'}"
    if outcome.status is ImportStatus.FAILED:
        return f"{name}: {series}: failed, {outcome.code}"
    if outcome.status is ImportStatus.ALREADY_IMPORTED:
        return f"{name}: {series}: already imported, nothing changed"
    revised = f", {outcome.revised:,} revised" if outcome.revised else ""
    missing = f", {outcome.missing:,} missing" if outcome.missing else ""
    return f"{name}: {series}: {outcome.row_count:,} bars, {outcome.added:,} new{revised}{missing}"


def _width() -> int:
    try:
        return max(20, os.get_terminal_size().columns - 1)
    except OSError:
        return 79
