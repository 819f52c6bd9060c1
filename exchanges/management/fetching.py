"""How ``fetch_candles`` speaks: one changing line on a terminal, else a line now and then."""

import time
from typing import Final, TextIO

from exchanges.services.backfill import Backfill
from market.timeframes import from_milliseconds

_EVERY_S: Final = 5.0


class FetchReport:
    """Tells a person how far the fetch of one series has come."""

    def __init__(self, output: TextIO, *, name: str, from_ms: int, to_ms: int) -> None:
        self._output = output
        self._name = name
        self._from_ms = from_ms
        self._length_ms = max(to_ms - from_ms, 1)
        self._is_terminal = output.isatty()
        self._told_s = time.monotonic()
        self._last = Backfill(from_ms)

    def add(self, done: Backfill) -> None:
        """Say how far it is; on a terminal each time, else every few seconds."""
        self._last = done
        part = min(1.0, max(0.0, (done.reached_ms - self._from_ms) / self._length_ms))
        line = (
            f"{self._name} {part:4.0%}  up to {from_milliseconds(done.reached_ms):%Y-%m-%d %H:%M}"
            f"  {done.added:,} new"
        )
        if self._is_terminal:
            self._write(f"\r\033[K{line}")
        elif time.monotonic() - self._told_s >= _EVERY_S:
            self._told_s = time.monotonic()
            self._write(f"{line}\n")

    def conclude(self, done: Backfill) -> None:
        """Add up."""
        parts = [f"{done.added:,} new bars", f"{done.questions:,} questions"]
        if done.confirmed:
            parts.append(f"{done.confirmed:,} holes are the venue's own")
        if done.refused:
            parts.append(f"{done.refused:,} impossible bars kept apart")
        start = "\r\033[K" if self._is_terminal else ""
        self._write(f"{start}{self._name}: {', '.join(parts)}.\n")

    def interrupt(self) -> None:
        """Say that the person stopped it, and that it goes on from there."""
        reached = from_milliseconds(self._last.reached_ms)
        self._write(
            f"\nStopped at {reached:%Y-%m-%d %H:%M}; {self._last.added:,} new bars are kept. The same "
            "command goes on from there.\n"
        )

    def _write(self, text: str) -> None:
        encoding = getattr(self._output, "encoding", None) or "utf-8"
        self._output.write(text.encode(encoding, "replace").decode(encoding))
        self._output.flush()
