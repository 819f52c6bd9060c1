"""Keeps a set of processes running until it is told to stop."""

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import IO, Final, cast

from foundation.processes.console import Console
from foundation.processes.errors import StepFailedError
from foundation.processes.spawning import (
    STAGE_GRACE_S,
    ProcessSpec,
    StopStage,
    Watchdog,
    spawn,
    sweep_group,
)

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
#: A process that has run this long is healthy: its next end counts as the first.
_HEALTHY_AFTER_S: Final = 30.0
_TICK_S: Final = 0.1
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class _Child:
    spec: ProcessSpec
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float | None = None
    pause_s: float = _FIRST_PAUSE_S
    ends: int = 0


class Supervisor:
    """Starts processes, prints what they write, restarts those that end, and stops all in order.

    It belongs to the main thread: it takes over the stop signals, and children are bound to that
    thread's life. Times are monotonic seconds.
    """

    def __init__(self, console: Console, watchdog: Watchdog) -> None:
        self._console = console
        self._watchdog = watchdog
        self._children: list[_Child] = []
        self._selector = selectors.DefaultSelector()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        for end in (self._wake_receiver, self._wake_sender):
            end.setblocking(False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wake_sender.fileno(), warn_on_full_buffer=False)
        for number in _STOP_SIGNALS:
            # What nohup has made ignorable stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to be woken
        self._stop_asked = False
        self._stop_signal: signal.Signals | None = None

    def must_stop(self) -> bool:
        """Tell whether somebody asked to stop, or nobody can read the output any more."""
        return self._stop_asked or not self._console.is_open

    @property
    def specs(self) -> tuple[ProcessSpec, ...]:
        """What runs, in the order in which it was started."""
        return tuple(child.spec for child in self._children)

    def ends_of(self, name: str) -> int:
        """Return how often process *name* has ended by itself."""
        return sum(child.ends for child in self._children if child.spec.name == name)

    def pid_of(self, name: str) -> int | None:
        """Return the number of process *name*; None while it is down."""
        for child in self._children:
            if child.spec.name == name and child.process is not None:
                return child.process.pid
        return None

    def add(self, spec: ProcessSpec) -> None:
        """Start *spec* and keep it running."""
        child = _Child(spec)
        self._children.append(child)
        self._start(child)

    def run_once(self, spec: ProcessSpec) -> None:
        """Run *spec* to its end, printing what it writes; raise StepFailedError if it fails."""
        process = spawn(spec, self._watchdog, output=subprocess.PIPE)
        self._listen(spec.name, process)
        while process.poll() is None and not self.must_stop():
            self._turn()
        if process.poll() is None:
            process.kill()
        sweep_group(process.pid)
        status = process.wait()
        self._watchdog.forget(process.pid)
        self._drain(spec.name, process)
        if status != 0 and not self.must_stop():
            raise StepFailedError(spec.name, status=status, words=describe(status))

    def wait_until(self, is_reached: Callable[[], bool], *, timeout_s: float) -> bool:
        """Run until *is_reached*; return False if time ran out or a stop was asked for."""
        deadline = time.monotonic() + timeout_s
        while not self.must_stop() and time.monotonic() < deadline:
            if is_reached():
                return True
            self._turn()
        return False

    def run(self) -> None:
        """Keep everything running until somebody asks to stop."""
        while not self.must_stop():
            self._turn()

    def stop(self) -> None:
        """Stop everything, applications first, then what they stand on; leave nothing."""
        self._stop_asked = True
        reason = "Stopping" if self._stop_signal is None else f"{self._stop_signal.name}: stopping"
        self._console.say(f"{reason} everything.")
        for stage in StopStage:
            self._stop_stage(stage)
        self._children.clear()
        self._console.say("Everything has stopped.")

    def _stop_stage(self, stage: StopStage) -> None:
        running = [
            (child.spec, child.process)
            for child in self._children
            if child.spec.stage == stage and child.process is not None
        ]
        for spec, process in running:
            if process.poll() is None:
                process.send_signal(spec.stop_signal)
        deadline = time.monotonic() + STAGE_GRACE_S[stage]
        while time.monotonic() < deadline and any(p.poll() is None for _, p in running):
            self._read(_TICK_S)
        for spec, process in running:
            if process.poll() is None:
                self._console.say(f"{spec.name} did not end in time and is killed.", alert=True)
            sweep_group(process.pid)
            process.wait()
            self._watchdog.forget(process.pid)
            self._drain(spec.name, process)

    def _start(self, child: _Child) -> None:
        child.restart_at = None
        child.started_at = time.monotonic()
        child.process = spawn(child.spec, self._watchdog, output=subprocess.PIPE)
        self._listen(child.spec.name, child.process)

    def _turn(self) -> None:
        """Print what there is, and look after the children once."""
        self._read(_TICK_S)
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._plan_restart(child, child.process, now)
            elif child.restart_at is not None and now >= child.restart_at and not self.must_stop():
                self._start(child)

    def _plan_restart(self, child: _Child, process: subprocess.Popen[bytes], now: float) -> None:
        # Its own children are of no use without it, and would hold on to its work.
        sweep_group(process.pid)
        self._watchdog.forget(process.pid)
        self._drain(child.spec.name, process)
        child.process = None
        child.ends += 1
        if now - child.started_at > _HEALTHY_AFTER_S:
            child.pause_s = _FIRST_PAUSE_S
        child.restart_at = now + child.pause_s
        if not self.must_stop():
            self._console.say(
                f"{child.spec.name} ended ({describe(process.returncode)}) and is started again "
                f"in {child.pause_s:g} s.",
                alert=True,
            )
        child.pause_s = min(child.pause_s * 2, _LONGEST_PAUSE_S)

    def _listen(self, name: str, process: subprocess.Popen[bytes]) -> None:
        pipe = cast("IO[bytes]", process.stdout)
        os.set_blocking(pipe.fileno(), False)
        self._selector.register(pipe, selectors.EVENT_READ, data=name)

    def _read(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                self._wake_receiver.recv(4096)
                continue
            pipe = cast("IO[bytes]", key.fileobj)
            data = os.read(pipe.fileno(), 65_536)
            if data:
                self._console.feed(key.data, data)
            else:
                self._selector.unregister(pipe)

    def _drain(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Print the last words of a process, and close its pipe."""
        pipe = cast("IO[bytes]", process.stdout)
        try:
            while data := os.read(pipe.fileno(), 65_536):
                self._console.feed(name, data)
        except BlockingIOError:
            pass  # somebody outside the group still holds the pipe
        if pipe in self._selector.get_map():
            self._selector.unregister(pipe)
        pipe.close()
        self._console.flush(name)

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        # Nothing is printed here: the signal may have interrupted a print.
        self._stop_asked = True
        self._stop_signal = self._stop_signal or signal.Signals(number)


def describe(status: int) -> str:
    """Return the end of a process in words: ``status 1``, ``killed by SIGKILL``."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"status {status}"
