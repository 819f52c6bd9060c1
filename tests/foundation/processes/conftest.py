"""What the tests of processes share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.processes.folders import make_temporary_folder
from foundation.processes.server_user import ServerUser, choose_server_user
from foundation.processes.spawning import Watchdog

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    with Watchdog() as watchdog:
        yield watchdog


@pytest.fixture(scope="session")
def server_user() -> ServerUser | None:
    """Whom servers run as on this machine."""
    return choose_server_user(CHECKOUT)


@pytest.fixture
def myself() -> ServerUser:
    """The user of this process: a test may change the modes of files that belong to it."""
    return ServerUser(uid=os.geteuid(), gid=os.getegid(), name="myself")


@pytest.fixture
def home(server_user: ServerUser | None) -> Iterator[Path]:
    """A folder for the data of servers; pytest's own temporary folders are closed to their user."""
    folder = make_temporary_folder("test", server_user)
    yield folder
    shutil.rmtree(folder)
