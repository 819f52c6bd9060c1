# ruff: noqa: INP001  (programs of the image, not a package)
"""Run a command and start it again whenever a source file changes: for development, where the source is mounted.

``python docker/reload.py docker/entrypoint worker orders``. It looks at the files once a second, which works on every
kind of mount and needs no library.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SOURCES = (
    "platform",
    "accounts",
    "backtesting",
    "billing",
    "exchanges",
    "referrals",
    "strategies",
    "trading",
)
_INTERVAL_S = 1.0
_GRACE_S = 20.0


def main(command: list[str]) -> int:
    """Keep *command* running until a stop signal; return its exit status."""
    signal.signal(signal.SIGTERM, _stop)
    process = subprocess.Popen(command)
    known = _state()
    try:
        while True:
            time.sleep(_INTERVAL_S)
            now = _state()
            if now != known:
                known = now
                sys.stderr.write("reload: the source has changed\n")
                _end(process)
                process = subprocess.Popen(command)
    except KeyboardInterrupt:
        return _end(process)


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _state() -> dict[str, int]:
    """Return the time of the last change of every source file."""
    return dict(_times())


def _times() -> Iterator[tuple[str, int]]:
    for folder in SOURCES:
        for path in Path(folder).rglob("*.py"):
            try:
                yield str(path), path.stat().st_mtime_ns
            except FileNotFoundError:
                # Deleted in between, as editors do.
                continue


def _end(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
