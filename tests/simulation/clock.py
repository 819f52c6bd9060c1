"""One clock for everything in the process, which moves only when the simulation lets it.

The event loop does not wait: where it would, the clock goes to the next timer. Everything that is
drawn by chance in the process follows from the seed.
"""

import asyncio
import os
import random
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import time_machine

from exchanges.adapters import loops

#: When every simulated day begins.
DAWN: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

_SECOND_US: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StandstillError(Exception):
    """The event loop waits for something that will never come."""


@dataclass(slots=True)
class Clock:
    """The true time in microseconds since 1970, and how far the workers' clocks are off.

    The exchange and the database go by the true time. ``passed_us`` is what the monotonic clocks
    count: a jump of the true time is none of theirs.
    """

    true_us: int
    skew_us: int = 0
    passed_us: int = 0
    _shown: time_machine.Traveller | None = None

    @property
    def true_at(self) -> datetime:
        """The true time."""
        return _EPOCH + timedelta(microseconds=self.true_us)

    def pass_by(self, seconds: float) -> None:
        """Let time pass for everybody."""
        microseconds = -int(-seconds * _SECOND_US // 1)
        self.true_us += microseconds
        self.passed_us += microseconds
        self._show()

    def set_to(self, at: datetime) -> None:
        """Begin anew at *at*, with clocks that are right."""
        self.true_us = (at - _EPOCH) // timedelta(microseconds=1)
        self.skew_us = self.passed_us = 0
        self._show()

    def jump(self, seconds: float) -> None:
        """Let the machine's clocks show more at once, as after a sleep of the whole machine."""
        self.true_us += int(seconds * _SECOND_US)
        self._show()

    def skew(self, seconds: float) -> None:
        """Let the workers' clocks be off by so much."""
        self.skew_us = int(seconds * _SECOND_US)
        self._show()

    def _show(self) -> None:
        if self._shown is not None:
            shown_us = self.true_us + self.skew_us
            self._shown.move_to(_EPOCH + timedelta(microseconds=shown_us))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Be what every clock of this process shows."""
        kept = time.monotonic
        travel = time_machine.travel(self.true_at, tick=False)
        self._shown = travel.start()
        self._show()
        time.monotonic = lambda: self.passed_us / _SECOND_US
        try:
            yield
        finally:
            time.monotonic = kept
            self._shown = None
            travel.stop()


class _Selector(selectors.SelectSelector):
    """Waits for nothing: where it would, the clock moves on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise StandstillError
        self._clock.pass_by(timeout)
        return []


class _Policy(asyncio.DefaultEventLoopPolicy):
    """Makes event loops that do not wait."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_Selector(self._clock))


@contextmanager
def held(clock: Clock) -> Iterator[None]:
    """Let this process live by *clock*, and by chances that ``draw_from`` decides."""
    loops.close()
    kept = asyncio.get_event_loop_policy()
    urandom, state = os.urandom, random.getstate()
    asyncio.set_event_loop_policy(_Policy(clock))
    try:
        with clock.shown():
            yield
    finally:
        loops.close()
        asyncio.set_event_loop_policy(kept)
        os.urandom = urandom
        random.setstate(state)


def draw_from(seed: str) -> None:
    """Let ids and whatever else is drawn in this process follow from *seed*."""
    os.urandom = random.Random(f"ids {seed}").randbytes
    random.seed(f"process {seed}")
