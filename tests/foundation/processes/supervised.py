"""A program for the tests: a supervisor over three small processes, one with a child.

    python supervised.py FOLDER

Every process writes its number to a file in FOLDER; ``stubborn`` ignores SIGTERM; ``parent`` has
a child that does.
"""

import sys
from pathlib import Path

from foundation.processes.console import Console
from foundation.processes.spawning import ProcessSpec, StopStage, Watchdog, follow_parent
from foundation.processes.supervisor import Supervisor

_IMPORTS = "import os, pathlib, signal, subprocess, sys, time;"
_WRITE = "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()));"
_DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
_WAIT = "time.sleep(60)"
_STUBBORN = _IMPORTS + _DEAF + _WRITE + _WAIT
_PARENT = (
    _IMPORTS
    + _WRITE
    + f"subprocess.Popen([sys.executable, '-c', {_STUBBORN!r}, sys.argv[1] + '-child']);"
    + _WAIT
)
_PROGRAMS = {
    "stubborn": _STUBBORN,
    "parent": _PARENT,
    "database": _IMPORTS + _WRITE + _WAIT,
}


def main() -> None:
    """Run until told to stop."""
    follow_parent()  # a killed test run must not leave it behind
    folder = Path(sys.argv[1])
    with Watchdog() as watchdog:
        watchdog.remove(folder / "temporary")
        supervisor = Supervisor(Console(), watchdog)
        try:
            for name, program in _PROGRAMS.items():
                supervisor.add(
                    ProcessSpec(
                        name=name,
                        command=(sys.executable, "-u", "-c", program, str(folder / name)),
                        purpose="",
                        stage=StopStage.DATABASE if name == "database" else StopStage.APPLICATION,
                    )
                )
            supervisor.run()
        finally:
            supervisor.stop()


if __name__ == "__main__":
    main()
