"""One platform per place, guarded by a lock that the kernel releases when its holders are gone."""

import fcntl
import os
import time
from pathlib import Path
from typing import Final, Self

from foundation.processes.errors import AlreadyRunningError
from foundation.processes.watchdog_process import is_running

_HAND_OVER_S: Final = 15.0


class InstanceLock:
    """An exclusive lock on a file that names its holder.

    The file descriptor may be passed on to the watchdog: the lock then lasts until the watchdog has
    cleaned up after a holder that was killed, and a new start waits for that.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    @property
    def descriptor(self) -> int:
        """The open file that carries the lock."""
        return self._descriptor

    def acquire(self) -> Self:
        """Take the lock, or raise AlreadyRunningError if a living process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _HAND_OVER_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = _read_pid(descriptor)
                # A holder that has not yet written its number is starting right now.
                if holder is None or is_running(holder) or time.monotonic() > deadline:
                    os.close(descriptor)
                    raise AlreadyRunningError(
                        f"The platform already runs from {self._path.parent} "
                        f"(process {holder or 'unknown'}). Use that one, or stop it with Ctrl+C "
                        "where it was started. Nothing was changed."
                    ) from None
                time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Give the lock back; the file stays, because removing it would let two holders in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _read_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdecimal() else None
