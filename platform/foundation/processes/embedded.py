"""What both embedded servers share: prepared first, then started by a supervisor or a test."""

import importlib.util
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from foundation.processes.errors import ServerFailedError, UnsuitableMachineError
from foundation.processes.spawning import ProcessSpec, Watchdog, spawn, stop

_START_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class PreparedServer:
    """A server that can be started, and started again: its address stays the same."""

    spec: ProcessSpec
    url: str
    is_ready: Callable[[], bool]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers at ``url``."""

    prepared: PreparedServer
    process: subprocess.Popen[bytes]
    watchdog: Watchdog

    @property
    def url(self) -> str:
        """The address in the form of ``DATABASE_URL`` or ``REDIS_URL``."""
        return self.prepared.url

    def stop(self) -> None:
        """Stop the server tidily."""
        stop(self.process, self.prepared.spec, self.watchdog)


def folder_of_wheel(name: str) -> Path:
    """Return where the package *name* lies, without running it: only its programs matter."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise UnsuitableMachineError(
            f"The package {name} is not installed, so there is no server to start. Install "
            "requirements/embedded.txt, or set DATABASE_URL and REDIS_URL."
        )
    return Path(found.origin).parent


def start(
    prepared: PreparedServer, watchdog: Watchdog, *, output: int | IO[bytes] | None = None
) -> RunningServer:
    """Start *prepared* and return when it answers; raise ServerFailedError if it does not."""
    process = spawn(prepared.spec, watchdog, output=output)
    server = RunningServer(prepared, process, watchdog)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not prepared.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            raise ServerFailedError(
                f"{prepared.spec.name} did not start (status {process.returncode}). "
                "What it said is above."
            )
        time.sleep(_POLL_S)
    return server
