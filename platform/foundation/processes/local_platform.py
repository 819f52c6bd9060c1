"""The whole platform on one machine, under one command."""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from foundation.processes.application import DEMO_EMAIL, Application
from foundation.processes.console import Console
from foundation.processes.embedded import PreparedServer
from foundation.processes.embedded_postgres import prepare_postgres
from foundation.processes.embedded_valkey import prepare_valkey
from foundation.processes.errors import ServerFailedError
from foundation.processes.folders import Folders, choose_folders, state_candidates
from foundation.processes.local_secrets import (
    load_or_create_secrets,
    read_variables,
    write_variables,
)
from foundation.processes.lockfile import InstanceLock
from foundation.processes.ports import LOOPBACK, free_port, require_free
from foundation.processes.server_user import ServerUser, choose_server_user
from foundation.processes.spawning import ProcessSpec, Watchdog, follow_parent
from foundation.processes.static_files import static_fingerprint
from foundation.processes.supervisor import Supervisor

_SIMULATOR_PORT: Final = 8900
_SERVER_TIMEOUT_S: Final = 40.0
_PAGE_TIMEOUT_S: Final = 90.0
_HOPELESS_AFTER: Final = 3
_RUNNING_ENVIRONMENT: Final = "environment.env"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person may choose."""

    port: int
    demo: bool
    follows_parent: bool


def run_platform(checkout: Path, wishes: Wishes) -> None:
    """Start everything from *checkout*, keep it running until a stop signal, and stop all of it.

    Raises
    ------
    StartError
        With a code and an exit status; whatever was started until then has been stopped.
    """
    begun = time.monotonic()
    if wishes.follows_parent:
        follow_parent()
    embeds = not (_is_given("DATABASE_URL") and _is_given("REDIS_URL"))
    user = choose_server_user(checkout) if embeds else None
    folders = choose_folders(checkout, user)
    lock = InstanceLock(folders.state / "up.lock").acquire()
    try:
        require_free(wishes.port)
        with Watchdog(keep_open=(lock.descriptor,)) as watchdog:
            console = Console()
            for note in (*folders.notes, *_notes_on_rights(user)):
                console.say(note)
            supervisor = Supervisor(console, watchdog)
            try:
                _Start(checkout, folders, user, wishes, watchdog, supervisor, console, begun).run()
                supervisor.run()
            finally:
                supervisor.stop()
    finally:
        lock.release()


def running_environment(checkout: Path) -> dict[str, str]:
    """Return the variables of the platform that runs from *checkout*; empty if none does."""
    for state in state_candidates(checkout):
        path = state / _RUNNING_ENVIRONMENT
        # A file of somebody else's would let them choose our database and keys.
        if path.is_file() and path.stat().st_uid == os.geteuid():
            return read_variables(path)
    return {}


def _notes_on_rights(user: ServerUser | None) -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    servers = "" if user is None else f" PostgreSQL and Valkey run as '{user.name}'."
    return (f"Running as root; an ordinary user is enough.{servers}",)


def _is_given(name: str) -> bool:
    """Tell whether a person has set *name*, directly or through a file."""
    return name in os.environ or f"{name}_FILE" in os.environ


@dataclass(slots=True)
class _Start:
    """One start, step by step; each step returns early once a stop was asked for."""

    checkout: Path
    folders: Folders
    user: ServerUser | None
    wishes: Wishes
    watchdog: Watchdog
    supervisor: Supervisor
    console: Console
    begun: float

    def run(self) -> None:
        addresses = self._start_servers()
        simulator_port = free_port(preferred=_SIMULATOR_PORT)
        site_url = f"http://{LOOPBACK}:{self.wishes.port}"
        application = Application(
            checkout=self.checkout,
            state=self.folders.state,
            environment=_prefer_what_is_given(
                {
                    **load_or_create_secrets(self.folders.state / "secrets.env"),
                    **addresses,
                    "SITE_URL": site_url,
                    "SIMULATOR_URL": f"http://{LOOPBACK}:{simulator_port}",
                    "DEMO_EMAIL": DEMO_EMAIL,
                    **self._mail_folder(),
                }
            ),
        )
        running = self.folders.state / _RUNNING_ENVIRONMENT
        self.watchdog.remove(running)
        write_variables(running, application.shared_variables())
        processes = [application.web(self.wishes.port), *application.workers(), application.beat()]
        if not _is_given("SIMULATOR_URL"):
            processes.append(application.simulator(simulator_port))
        self._start_application(application, processes, f"{site_url}/healthz")
        if not self.supervisor.must_stop():
            self._tell(application, site_url)

    def _mail_folder(self) -> dict[str, str]:
        """Have mails kept in a folder, unless the environment names a server for them."""
        if _is_given("EMAIL_URL"):
            return {}
        return {"EMAIL_URL": f"filemail://{quote(str(self.folders.state.resolve() / 'mail'))}"}

    def _start_servers(self) -> dict[str, str]:
        """Start the servers that the environment does not name; return the addresses of both."""
        home = self.folders.server_data
        addresses: dict[str, str] = {}
        prepared: list[PreparedServer] = []
        if not _is_given("DATABASE_URL"):
            server = prepare_postgres(home, user=self.user, watchdog=self.watchdog)
            addresses["DATABASE_URL"] = server.url
            prepared.append(server)
        if not _is_given("REDIS_URL"):
            server = prepare_valkey(home, user=self.user)
            addresses["REDIS_URL"] = server.url
            prepared.append(server)
        for server in prepared:
            for note in server.notes:
                self.console.say(note)
            self.supervisor.add(server.spec)
        if prepared:
            self.console.say(
                "Starting " + " and ".join(server.spec.name for server in prepared) + "."
            )
        for server in prepared:
            self._await_server(server)
        return addresses

    def _await_server(self, server: PreparedServer) -> None:
        name = server.spec.name

        def is_settled() -> bool:
            return server.is_ready() or self.supervisor.ends_of(name) >= _HOPELESS_AFTER

        reached = self.supervisor.wait_until(is_settled, timeout_s=_SERVER_TIMEOUT_S)
        if not self.supervisor.must_stop() and not (reached and server.is_ready()):
            raise ServerFailedError(f"{name} did not start. What it said is above.")

    def _start_application(
        self, application: Application, processes: list[ProcessSpec], health_url: str
    ) -> None:
        web, *others = processes
        self.console.say("Bringing the database and the static files up to date.")
        for step in self._steps(application):
            if not self.supervisor.must_stop():
                step()
        if self.supervisor.must_stop():
            return
        self.console.say(f"Starting {len(processes)} processes, the pages first.")
        # The page first: the workers' imports would only slow it down.
        self.supervisor.add(web)
        answered = self.supervisor.wait_until(
            lambda: _answers(health_url), timeout_s=_PAGE_TIMEOUT_S
        )
        if self.supervisor.must_stop():
            return
        if not answered:
            raise ServerFailedError(f"{health_url} did not answer within {_PAGE_TIMEOUT_S:g} s.")
        for spec in others:
            self.supervisor.add(spec)
        if self.wishes.demo:
            self.console.say("Looking after the demo data.")
            self.supervisor.run_once(application.command("seed_demo", needs=("DEMO_PASSWORD",)))
        else:
            self.supervisor.run_once(application.command("sync_catalogue"))

    def _steps(self, application: Application) -> tuple[Callable[[], None], ...]:
        return (
            lambda: self.supervisor.run_once(application.command("migrate")),
            lambda: self._collect_static_files(application),
        )

    def _collect_static_files(self, application: Application) -> None:
        stamp = self.folders.state / "static.stamp"
        fingerprint = static_fingerprint(self.checkout)
        known = stamp.read_text(encoding="ascii") if stamp.exists() else ""
        if known == fingerprint and (self.checkout / "staticfiles").is_dir():
            return
        self.supervisor.run_once(
            application.command("collectstatic", "--no-input", "--clear", "--verbosity", "0")
        )
        if not self.supervisor.must_stop():
            stamp.write_text(fingerprint, encoding="ascii")

    def _tell(self, application: Application, site_url: str) -> None:
        seconds = time.monotonic() - self.begun
        lines = [f"Trading Platform is ready after {seconds:.1f} s:  {site_url}/", ""]
        if self.wishes.demo:
            password = application.environment["DEMO_PASSWORD"]
            lines += [f"Sign in as   {DEMO_EMAIL}", f"Password     {password}", ""]
        if self._mail_folder():
            lines += [f"Mails        {site_url}/dev/mail/", ""]
        lines += [f"{spec.name:<16} {spec.purpose}" for spec in self.supervisor.specs]
        lines += ["", f"Data and secrets: {self.folders.state}", "Stop everything:  Ctrl+C"]
        self.console.banner(lines)


def _prefer_what_is_given(ours: dict[str, str]) -> dict[str, str]:
    """Return *ours*, with what a person has set instead of what we would choose."""
    servers = {
        name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if name in os.environ
    }
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings.local", "APP_ENV": "local"}
    return {name: os.environ.get(name, value) for name, value in ours.items()} | servers | settings


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (an address of ours)
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
