"""Starting a child so that it cannot outlive us."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import IO, Final, Self

from foundation.processes.server_user import ServerUser

_PR_SET_PDEATHSIG: Final = 1


class StopStage(IntEnum):
    """When a process is stopped: each stage has ended before the next one begins."""

    APPLICATION = 0
    SIMULATOR = 1
    BROKER = 2
    DATABASE = 3


#: How long each stage may take, in seconds; together with the kills they stay below ten.
STAGE_GRACE_S: Final[Mapping[StopStage, float]] = {
    StopStage.APPLICATION: 5.0,
    StopStage.SIMULATOR: 1.0,
    StopStage.BROKER: 1.0,
    StopStage.DATABASE: 2.0,
}


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """How to run one process, and what a person should know about it."""

    name: str
    command: tuple[str, ...]
    purpose: str
    #: The whole environment; None passes on ours.
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    user: ServerUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stage: StopStage = StopStage.APPLICATION

    @property
    def orphan_signal(self) -> signal.Signals:
        """What to send if the supervisor is gone: servers end tidily, ours recover from a kill."""
        return signal.SIGKILL if self.stage < StopStage.BROKER else self.stop_signal


class Watchdog:
    """A process that stops the watched groups and removes the given paths when this one ends.

    Use it as a context manager. Leaving the block waits until the watchdog has cleaned up.
    """

    def __init__(self, *, keep_open: tuple[int, ...] = ()) -> None:
        script = Path(__file__).with_name("watchdog_process.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            pass_fds=keep_open,
        )

    def watch(self, pid: int, spec: ProcessSpec) -> None:
        """Stop the process group *pid*, if we die before saying otherwise."""
        self._say(f"watch {pid} {int(spec.orphan_signal)} {STAGE_GRACE_S[spec.stage]}")

    def forget(self, pid: int) -> None:
        """Leave *pid* alone: it has ended, and its number may come to mean another process."""
        self._say(f"forget {pid}")

    def remove(self, path: Path) -> None:
        """Remove *path*, a folder or a file, in the end."""
        self._say(f"remove {path}")

    def close(self) -> None:
        """Let the watchdog do its work, and wait for it."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _say(self, order: str) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        # Without a watchdog the children still have their parent-death signal.
        with contextlib.suppress(BrokenPipeError):
            stdin.write(order + "\n")
            stdin.flush()


def spawn(
    spec: ProcessSpec, watchdog: Watchdog, *, output: int | IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start *spec* in a process group of its own, bound to the life of this thread.

    Call it from the main thread: the kernel sends the parent-death signal when the *thread* that
    forked ends.
    """
    process = subprocess.Popen(
        spec.command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        cwd=spec.folder,
        env=spec.environment,
        process_group=0,
        user=None if spec.user is None else spec.user.uid,
        group=None if spec.user is None else spec.user.gid,
        extra_groups=None if spec.user is None else [],
        preexec_fn=_die_with(os.getpid(), spec.orphan_signal),  # noqa: PLW1509 (no threads)
    )
    watchdog.watch(process.pid, spec)
    return process


def follow_parent() -> None:
    """Have the kernel send us SIGTERM when the process that started us ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def sweep_group(pid: int) -> None:
    """Kill what is left of the process group that *pid* led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def stop(process: subprocess.Popen[bytes], spec: ProcessSpec, watchdog: Watchdog) -> None:
    """Stop one process within the grace of its stage, with everything that it started."""
    deadline = time.monotonic() + STAGE_GRACE_S[spec.stage]
    if process.poll() is None:
        process.send_signal(spec.stop_signal)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))
    sweep_group(process.pid)
    process.wait()
    watchdog.forget(process.pid)


def _die_with(parent: int, number: signal.Signals) -> Callable[[], None] | None:
    """Return what the child does before its program: ask the kernel to send *number* when we die.

    The subprocess module calls it after it has changed the user, which matters, for that change
    clears the request.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    prctl = libc.prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask
