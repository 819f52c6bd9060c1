"""The watchdog: a small process that outlives the supervisor only to clean up after it.

It reads orders from its standard input and acts when that input ends, which the kernel brings
about however the supervisor dies. It runs as a plain script and imports nothing of ours, so that
it starts in a few milliseconds.

    watch PID SIGNAL GRACE_S   at the end, send SIGNAL to PID; kill its group after GRACE_S
    forget PID                 PID has been reaped
    remove PATH                at the end, remove this folder or file
"""

import contextlib
import os
import shutil
import signal
import sys
import time


def main() -> None:
    """Read orders until the supervisor is gone, then stop what it left."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(ignored, signal.SIG_IGN)
    watched: dict[int, tuple[int, float]] = {}
    leftovers: list[str] = []
    for line in sys.stdin:
        order, _, rest = line.rstrip("\n").partition(" ")
        if order == "watch":
            pid, number, grace_s = rest.split()
            watched[int(pid)] = (int(number), float(grace_s))
        elif order == "forget":
            watched.pop(int(rest), None)
        elif order == "remove":
            leftovers.append(rest)
    _stop(watched)
    for path in leftovers:
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 (quick to import)


def is_running(pid: int) -> bool:
    """Tell whether process *pid* exists and has not merely been left unreaped.

    Where the first process of a container reaps nobody, orphans stay in the table for ever.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 (quick to import)
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except FileNotFoundError:
        # It ended just now, unless this system has no /proc: then the signal is all that we know.
        return not os.path.isdir("/proc/self")  # noqa: PTH112 (as above)


def _stop(watched: dict[int, tuple[int, float]]) -> None:
    """Stop everything at once, the servers gently, and leave no member of any group."""
    for pid, (number, _) in watched.items():
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if number == signal.SIGKILL else os.kill)(pid, number)
    begun = time.monotonic()
    for pid, (_, grace_s) in watched.items():
        while is_running(pid) and time.monotonic() - begun < grace_s:
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
