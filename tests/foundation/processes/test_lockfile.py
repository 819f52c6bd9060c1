"""One platform per place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.processes.errors import AlreadyRunningError
from foundation.processes.lockfile import InstanceLock


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    first = InstanceLock(path).acquire()

    with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}") as caught:
        InstanceLock(path).acquire()
    first.release()

    assert caught.value.code == "already_running"
    assert caught.value.exit_status == 75


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    InstanceLock(path).acquire().release()

    InstanceLock(path).acquire().release()

    assert path.read_text() == f"{os.getpid()}\n"


def test_a_new_start_waits_for_the_watchdog_of_a_killed_holder(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    held = InstanceLock(path).acquire()
    path.write_text(f"{dead.pid}\n")
    # It inherits the open lock, as the watchdog does, and keeps it a little longer.
    heir = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(0.7)"], pass_fds=[held.descriptor]
    )
    held.release()

    lock = InstanceLock(path).acquire()
    ended = heir.poll() is not None or heir.wait(1) == 0
    lock.release()

    assert ended
