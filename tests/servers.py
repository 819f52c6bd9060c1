"""An early plugin of pytest: real servers for the suite, and one word about what is missing here.

Django reads its settings before any ``conftest.py`` is loaded, so the servers have to be there
before that. The controller of a parallel run starts one pair for all of its workers, which inherit
the environment.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

import pytest

_CHECKOUT = Path(__file__).resolve().parents[1]
# The `pythonpath` of pytest's settings comes too late for a plugin that is named in `addopts`.
sys.path[:0] = [p for p in (str(_CHECKOUT), str(_CHECKOUT / "platform")) if p not in sys.path]

from foundation.processes.embedded import PreparedServer, start  # noqa: E402
from foundation.processes.embedded_postgres import FLEETING, prepare_postgres  # noqa: E402
from foundation.processes.embedded_valkey import prepare_valkey  # noqa: E402
from foundation.processes.errors import ServerFailedError  # noqa: E402
from foundation.processes.folders import choose_folders, make_temporary_folder  # noqa: E402
from foundation.processes.local_secrets import generate_secrets  # noqa: E402
from foundation.processes.server_user import choose_server_user  # noqa: E402
from foundation.processes.spawning import Watchdog  # noqa: E402

_NO_CHROMIUM = "no Chromium here: put `chromium` on the PATH or its path into CHROMIUM"
_NO_CANDLES = "no larger set of candles here: put its folder into CANDLES_DIR"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Complete the environment of the suite before Django reads it."""
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    provide_servers(stack)
    os.environ["REDIS_URL"] = _broker_of_this_worker(os.environ["REDIS_URL"])
    return (yield)


def provide_servers(stack: ExitStack) -> None:
    """Complete the environment as Django reads it in tests; what is started ends with *stack*."""
    os.environ |= {"APP_ENV": "test", "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    for name, value in generate_secrets().items():
        os.environ.setdefault(name, value)
    missing = {"DATABASE_URL", "REDIS_URL"} - os.environ.keys()
    if missing:
        _start_servers(missing, stack)


def pytest_report_header() -> list[str]:
    """Say what the suite runs against, and once what it has to do without."""
    lines = [] if chromium() else [f"browser tests are skipped: {_NO_CHROMIUM}"]
    return lines if candles() else [*lines, f"candle tests are skipped: {_NO_CANDLES}"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here."""
    absent = {}
    if chromium() is None:
        absent["browser"] = pytest.mark.skip(reason=_NO_CHROMIUM)
    if candles() is None:
        absent["candles"] = pytest.mark.skip(reason=_NO_CANDLES)
    for item in items:
        for name, skip in absent.items():
            if item.get_closest_marker(name):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser that the tests marked ``browser`` drive."""
    path = chromium()
    if path is None:
        pytest.skip(_NO_CHROMIUM)
    return path


@pytest.fixture(scope="session")
def candles_dir() -> Path:
    """The larger set of candles that the tests marked ``candles`` read."""
    folder = candles()
    if folder is None:
        pytest.skip(_NO_CANDLES)
    return folder


def chromium() -> str | None:
    """Return the path of Chromium, or None."""
    return shutil.which(os.environ.get("CHROMIUM") or "chromium")


def candles() -> Path | None:
    """Return the folder of the larger set of candles, or None."""
    named = os.environ.get("CANDLES_DIR")
    return Path(named) if named and Path(named).is_dir() else None


def _broker_of_this_worker(url: str) -> str:
    """Return the address of a database that no other worker of the run sends messages to."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return url
    # A server has sixteen databases; the journeys' platforms take the upper half.
    return urlunsplit(urlsplit(url)._replace(path=f"/{int(worker.removeprefix('gw')) % 8}"))


def _start_servers(missing: set[str], stack: ExitStack) -> None:
    user = choose_server_user(_CHECKOUT)
    programs = choose_folders(_CHECKOUT, user).server_data
    watchdog = stack.enter_context(Watchdog())
    home = make_temporary_folder("tests", user)
    watchdog.remove(home)
    prepared: dict[str, PreparedServer] = {}
    if "DATABASE_URL" in missing:
        prepared["DATABASE_URL"] = prepare_postgres(
            home, user=user, watchdog=watchdog, profile=FLEETING, programs_home=programs
        )
    if "REDIS_URL" in missing:
        prepared["REDIS_URL"] = prepare_valkey(
            home, user=user, durable=False, programs_home=programs
        )
    # What they complain about later is what the tests provoke on purpose: it is not shown.
    log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (the stack closes it)
    for name, server in prepared.items():
        try:
            running = start(server, watchdog, output=log)
        except ServerFailedError as error:
            raise pytest.UsageError(f"{error.message}\n{_text_of(log)}") from error
        stack.callback(running.stop)
        os.environ[name] = server.url
        stack.callback(os.environ.pop, name, None)


def _text_of(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")
