"""The supervisor, with real processes that misbehave."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foundation.processes.console import Console
from foundation.processes.watchdog_process import is_running
from tests.foundation.processes.conftest import CHECKOUT

NAMES = ("stubborn", "parent", "parent-child", "database")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "temporary").mkdir()
    return tmp_path


@pytest.fixture
def supervised(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program ``supervised.py``, with all of its processes up."""
    environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'platform'}"}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("supervised.py")), str(folder)],
            stdout=output,
            stderr=output,
            env=environment,
        )
    try:
        assert eventually(lambda: all(pid_of(folder, name) for name in NAMES))
        yield process
    finally:
        process.kill()
        process.wait()


def pid_of(folder: Path, name: str) -> int:
    path = folder / name
    text = path.read_text() if path.exists() else ""
    return int(text or 0)


def eventually(is_so: Callable[[], bool], *, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.02)
    return False


def test_a_process_that_dies_is_started_again_and_said_so(
    supervised: subprocess.Popen[bytes], folder: Path
) -> None:
    first = pid_of(folder, "parent")
    orphan = pid_of(folder, "parent-child")

    os.kill(first, signal.SIGKILL)

    assert eventually(lambda: pid_of(folder, "parent") not in {0, first})
    assert not is_running(orphan)
    assert (
        "parent ended (killed by SIGKILL) and is started again in 0.5 s."
        in (folder / "output").read_text()
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_everything_in_order_within_ten_seconds(
    supervised: subprocess.Popen[bytes], folder: Path, number: signal.Signals
) -> None:
    pids = [pid_of(folder, name) for name in NAMES]
    begun = time.monotonic()

    supervised.send_signal(number)
    status = supervised.wait(10)

    assert status == 0
    assert time.monotonic() - begun < 10
    assert not any(is_running(pid) for pid in pids)
    assert not (folder / "temporary").exists()
    output = (folder / "output").read_text()
    assert f"{number.name}: stopping everything." in output
    assert "stubborn did not end in time and is killed." in output
    assert output.rstrip().endswith("Everything has stopped.")


def test_a_kill_of_the_supervisor_leaves_no_process_and_no_file(
    supervised: subprocess.Popen[bytes], folder: Path
) -> None:
    pids = [pid_of(folder, name) for name in NAMES]

    supervised.kill()
    supervised.wait()

    assert eventually(lambda: not any(is_running(pid) for pid in pids), within_s=5)
    assert eventually(lambda: not (folder / "temporary").exists(), within_s=5)


def test_the_console_prints_whole_lines_with_the_name_of_their_process() -> None:
    stream = io.StringIO()
    console = Console(stream, environment={})

    console.feed("web", b"first\nsec")
    console.feed("beat", b"tick\n")
    console.feed("web", b"ond\nlast words")
    console.flush("web")

    names_and_lines = [tuple(line.split(" | ")) for line in stream.getvalue().splitlines()]
    assert [(name.strip(), line) for name, line in names_and_lines] == [
        ("web", "first"),
        ("beat", "tick"),
        ("web", "second"),
        ("web", "last words"),
    ]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("environment", "has_color"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_color_unless_it_asks_for_none(
    environment: dict[str, str], has_color: bool
) -> None:
    terminal = _Terminal()

    Console(terminal, environment=environment).line("web", "hello")

    assert ("\x1b[" in terminal.getvalue()) is has_color
