"""The whole platform as ``make run`` starts it, with servers and data of its own."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from foundation.processes.application import Application
from foundation.processes.console import Console
from foundation.processes.embedded_postgres import prepare_postgres
from foundation.processes.embedded_valkey import prepare_valkey
from foundation.processes.folders import choose_folders, make_temporary_folder
from foundation.processes.local_secrets import generate_secrets
from foundation.processes.ports import LOOPBACK, free_port
from foundation.processes.server_user import choose_server_user
from foundation.processes.spawning import Watchdog
from foundation.processes.supervisor import Supervisor
from tests.flows.stack import CHECKOUT, Stack

_READY_WITHIN_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class World:
    """What runs, under the supervisor of ``make run``, and where it answers."""

    stack: Stack
    supervisor: Supervisor
    database_url: str
    redis_url: str

    def is_ready(self) -> bool:
        """Tell whether the platform says that everything of it works."""
        try:
            return requests.get(f"{self.stack.url}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False


@contextmanager
def standing(folder: Path, *, scale: float) -> Iterator[World]:
    """Start everything on a fresh database, and leave nothing behind. For the main thread."""
    with Watchdog() as watchdog, (folder / "chaos.log").open("w", encoding="utf-8") as log:
        console = Console(log)
        supervisor = Supervisor(console, watchdog)
        try:
            yield _stand_up(folder, watchdog, supervisor, console, scale)
        finally:
            supervisor.stop()


def _stand_up(
    folder: Path, watchdog: Watchdog, supervisor: Supervisor, console: Console, scale: float
) -> World:
    user = choose_server_user(CHECKOUT)
    programs = choose_folders(CHECKOUT, user).server_data
    home = make_temporary_folder("chaos", user)
    watchdog.remove(home)
    # Both keep what they have confirmed: that is what is to be proved.
    postgres = prepare_postgres(home, user=user, watchdog=watchdog, programs_home=programs)
    valkey = prepare_valkey(home, user=user, programs_home=programs)
    for server in (postgres, valkey):
        supervisor.add(server.spec)
        _require(supervisor.wait_until(server.is_ready, timeout_s=60), server.spec.name)
    application = _application(folder, postgres.url, valkey.url, scale)
    os.environ |= application.environment
    for arguments in (("migrate",), ("sync_catalogue",), ("load_sample_data",)):
        supervisor.run_once(application.command(*arguments))
    url, simulator_url = (application.environment[name] for name in ("SITE_URL", "SIMULATOR_URL"))
    stack = Stack(application, url, simulator_url, folder, watchdog)
    world = World(stack, supervisor, postgres.url, valkey.url)
    supervisor.add(application.simulator(int(simulator_url.rpartition(":")[2])))
    supervisor.add(application.web(int(url.rpartition(":")[2])))
    for spec in (*application.workers(), application.beat()):
        supervisor.add(spec)
    ready = supervisor.wait_until(_seldom(world.is_ready), timeout_s=_READY_WITHIN_S)
    _require(ready, f"The platform ({folder / 'chaos.log'})")
    return world


def _application(folder: Path, database_url: str, redis_url: str, scale: float) -> Application:
    return Application(
        checkout=CHECKOUT,
        state=folder,
        environment={
            **generate_secrets(),
            "APP_ENV": "test",
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "APP_HORIZON_SCALE": str(scale),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SITE_URL": f"http://{LOOPBACK}:{free_port()}",
            "SIMULATOR_URL": f"http://{LOOPBACK}:{free_port()}",
            "EMAIL_URL": f"filemail://{folder / 'mail'}",
        },
    )


def _seldom(ask: Callable[[], bool]) -> Callable[[], bool]:
    """Return *ask*, but asked once a second: whoever starts has better things to do than to answer."""
    asked_s = 0.0

    def answer() -> bool:
        nonlocal asked_s
        if time.monotonic() - asked_s < 1.0:
            return False
        asked_s = time.monotonic()
        return ask()

    return answer


def _require(is_there: bool, what: str) -> None:
    if not is_there:
        raise RuntimeError(f"{what} did not start.")
