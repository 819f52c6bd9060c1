"""What befalls which process when, drawn from a seed; and carrying it out on the running processes."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import Final


class How(StrEnum):
    """What befalls a process."""

    #: SIGKILL to it and to everything that it has started, as a power cut.
    KILL = "KILL"
    #: SIGKILL to one of the processes that it has started: one task, one session, one web worker.
    CHILD = "CHILD"
    #: SIGSTOP to all of them, and SIGCONT some seconds later.
    SLEEP = "SLEEP"


#: Who is struck how often, by weight.
VICTIMS: Final = {
    "web": 3,
    "worker-control": 3,
    "worker-orders": 5,
    "worker-ingest": 2,
    "worker-evaluate": 4,
    "worker-compute": 1,
    "worker-default": 2,
    "beat": 2,
    "postgres": 4,
    "valkey": 3,
}
_HOWS: Final = {How.KILL: 6, How.CHILD: 2, How.SLEEP: 2}
_PAUSE_S: Final = (2.0, 7.0)
#: Longer than a claim on an account lasts, now and then.
_SLEEP_S: Final = (1.0, 14.0)


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow: after a pause, at whom, how, and for how long if it is put to sleep."""

    pause_s: float
    victim: str
    how: How
    sleep_s: float


@dataclass(frozen=True, slots=True)
class Blow:
    """A strike that was carried out; ``over_s`` (monotonic) is when the victim could recover from it."""

    strike: Strike
    struck_s: float
    over_s: float


def draw(seed: int, *, seconds: float) -> list[Strike]:
    """Return the strikes of a run that long; the same seed draws the same."""
    chance, strikes, passed_s = random.Random(seed), list[Strike](), 0.0
    while True:
        pause_s = chance.uniform(*_PAUSE_S)
        victim = chance.choices(tuple(VICTIMS), weights=tuple(VICTIMS.values()))[0]
        how = chance.choices(tuple(_HOWS), weights=tuple(_HOWS.values()))[0]
        sleep_s = chance.uniform(*_SLEEP_S)
        # Valkey and the clock have no children.
        if how is How.CHILD and victim in {"valkey", "beat"}:
            how = How.KILL
        passed_s += pause_s + (sleep_s if how is How.SLEEP else 0.0)
        if passed_s > seconds:
            return strikes
        strikes.append(Strike(pause_s, victim, how, sleep_s))


def carry_out(
    strikes: Iterable[Strike], *, pid_of: Callable[[str], int | None], over: Event
) -> list[Blow]:
    """Strike one after the other until *over*; who is down at that moment is spared."""
    blows = []
    for strike in strikes:
        if over.wait(strike.pause_s):
            break
        pid = pid_of(strike.victim)
        if pid is None:
            continue
        struck_s = time.monotonic()
        if _strike(strike, pid, over):
            blows.append(Blow(strike, struck_s, time.monotonic()))
    return blows


def _strike(strike: Strike, pid: int, over: Event) -> bool:
    family = family_of(pid)
    if strike.how is How.CHILD:
        # The one that was started last is the one that works.
        return bool(family[1:]) and _send(family[-1:], signal.SIGKILL)
    if strike.how is How.KILL:
        return _send(family, signal.SIGKILL)
    try:
        asleep = _send(family, signal.SIGSTOP)
        over.wait(strike.sleep_s)
    finally:
        _send(family, signal.SIGCONT)
    return asleep


def _send(pids: Sequence[int], number: signal.Signals) -> bool:
    reached = False
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            reached = True
    return reached


def family_of(pid: int) -> list[int]:
    """Return a process and everything that it has started, itself first, then by age."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
    family = [pid]
    for each in family:
        family += sorted(child for child, parent in parents.items() if parent == each)
    return family
