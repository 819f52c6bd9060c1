"""The whole platform in processes of its own, on a database of its own, for one journey after another."""

import hashlib
import hmac
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import requests

from foundation.processes.application import Application
from foundation.processes.ports import LOOPBACK, free_port
from foundation.processes.spawning import ProcessSpec, Watchdog, spawn, stop
from tests.template import address_of, template_database

CHECKOUT = Path(__file__).resolve().parents[2]
T = TypeVar("T")

#: Far more than any step needs on a busy machine; a journey that waits this long has failed.
PATIENCE_S = 120.0


@dataclass
class Stack:
    """The running processes, by name, and where they answer."""

    application: Application
    url: str
    simulator_url: str
    folder: Path
    watchdog: Watchdog
    #: The key and secret of each account that a journey connected, by the account's id.
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    processes: dict[str, tuple[ProcessSpec, subprocess.Popen[bytes]]] = field(default_factory=dict)

    def start(self, spec: ProcessSpec) -> None:
        """Start one process; what it prints goes to a file named after it."""
        with (self.folder / f"{spec.name}.log").open("ab") as log:
            self.processes[spec.name] = (spec, spawn(spec, self.watchdog, output=log))

    def kill(self, name: str) -> None:
        """Kill a process with everything that it started, as a power cut would."""
        _, process = self.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def restart(self, name: str) -> None:
        """Start a killed process again."""
        self.start(self.processes[name][0])

    def stop(self) -> None:
        """Stop everything at once: none of the processes needs another one to end."""
        with ThreadPoolExecutor(max_workers=16) as side_by_side:
            ends = [
                side_by_side.submit(stop, process, spec, self.watchdog)
                for spec, process in self.processes.values()
            ]
        for end in ends:
            end.result()

    def libraries_of(self, name: str) -> set[str]:
        """Return the compiled libraries that a process and its children have in memory, by path."""
        _, process = self.processes[name]
        found: set[str] = set()
        for each in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(each.name)) == process.pid:
                    maps = (each / "maps").read_text().splitlines()
                    found |= {line.split()[-1] for line in maps if ".so" in line}
            except (ProcessLookupError, FileNotFoundError, PermissionError):
                # It ended while we looked.
                continue
        return found

    def manage(self, *arguments: str, **variables: str) -> str:
        """Run a command of ``manage.py`` beside the platform and return what it printed."""
        spec = self.application.command(*arguments)
        result = subprocess.run(
            spec.command,
            env={**(spec.environment or {}), **variables},
            cwd=spec.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def logs(self) -> str:
        """Return what all processes have printed."""
        return "\n".join(
            path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log"))
        )

    def link_mailed_to(self, recipient: str, path: str) -> str:
        """Return the newest link mailed to *recipient* whose address goes on with *path*; wait for it."""
        pattern = re.compile(re.escape(f"{self.url}{path}") + r"[^\s\"<>]+")

        def find() -> str | None:
            found = [
                match.group()
                for mail in mails_in(self.folder / "mail")
                if mail["To"] == recipient and (match := pattern.search(text_of(mail)))
            ]
            return found[0] if found else None

        return eventually(find, what=f"a mail to {recipient} with a link to {path}")

    # --- the simulator's own side, which knows the truth ---------------------------------------------------------

    def simulate(self, path: str, **body: Any) -> dict[str, Any]:
        """Call the administrator's side of the simulator exchange."""
        token = self.application.environment["SIMULATOR_ADMIN_TOKEN"]
        response = requests.post(
            f"{self.simulator_url}/simulator/{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert response.ok, response.text
        return dict(response.json())

    def venue_truth(self, key: str, secret: str, symbol: str) -> dict[str, list[dict[str, Any]]]:
        """Return all orders and trades that the exchange itself has of an account."""
        return {
            name: self._signed(path, key, secret, symbol=symbol)
            for name, path in {"orders": "/api/v3/allOrders", "trades": "/api/v3/myTrades"}.items()
        }

    def _signed(self, path: str, key: str, secret: str, **query: str) -> list[dict[str, Any]]:
        text = urlencode({**query, "timestamp": str(int(time.time() * 1_000)), "limit": "1000"})
        signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        response = requests.get(
            f"{self.simulator_url}{path}?{text}&signature={signature}",
            headers={"X-MBX-APIKEY": key},
            timeout=10,
        )
        assert response.ok, response.text
        return list(response.json())

    def open_simulator_account(
        self, *, wallet: str = "balances", **balances: str
    ) -> tuple[str, str]:
        """Create an account at the simulator; return its API key and secret."""
        key, secret = secrets.token_hex(16), secrets.token_hex(32)
        self.simulate("accounts", api_key=key, secret=secret, **{wallet: balances})
        return key, secret


@dataclass
class Visitor:
    """A person with a browser's session, without a browser."""

    stack: Stack
    email: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    session: requests.Session = field(default_factory=requests.Session)
    #: Where this person's requests go; another copy of the web server may answer them.
    url: str = ""

    def __post_init__(self) -> None:
        self.url = self.url or self.stack.url

    @property
    def token(self) -> str:
        """The token that every form and every changing call needs."""
        return str(self.session.cookies.get("csrftoken", ""))

    def page(self, path: str) -> str:
        """Return a page as text."""
        response = self.session.get(self.url + path, timeout=20)
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text[:500]}"
        return response.text

    def submit(self, path: str, **fields: str) -> requests.Response:
        """Fill in the form of a page and send it."""
        self.page(path)
        return self.submit_again(path, **fields)

    def submit_again(self, path: str, **fields: str) -> requests.Response:
        """Send the form of a page that was just looked at."""
        return self.session.post(
            self.url + path,
            data={"csrfmiddlewaretoken": self.token, **fields},
            headers={"Referer": self.url + path},
            timeout=20,
        )

    def get(self, path: str) -> Any:
        """Return what the API answers."""
        response = self.session.get(f"{self.url}/api/v1{path}", timeout=20)
        assert response.ok, f"{path}: {response.status_code} {response.text[:500]}"
        return response.json()

    def post(
        self, path: str, body: dict[str, Any] | None = None, **headers: str
    ) -> requests.Response:
        """Send JSON to the API."""
        return self.session.post(
            f"{self.url}/api/v1{path}",
            json=body or {},
            headers={"X-CSRFToken": self.token, "Referer": self.url, **headers},
            timeout=20,
        )


def register(stack: Stack) -> Visitor:
    """Sign up a new person through the form, follow the mailed link and sign in."""
    visitor = Visitor(stack, f"{secrets.token_hex(6)}@example.com")
    visitor.submit(
        "/accounts/signup/",
        email=visitor.email,
        password1=visitor.password,
        password2=visitor.password,
    )
    link = stack.link_mailed_to(visitor.email, "/accounts/confirm-email/")
    visitor.submit(link.removeprefix(stack.url))
    response = visitor.submit("/accounts/login/", login=visitor.email, password=visitor.password)
    assert response.url.endswith("/dashboard/"), re.sub(r"\s+", " ", response.text)[:2_000]
    return visitor


def subscribe(visitor: Visitor, product: str = "strategy:ema-crossover") -> None:
    """Take the right to use a strategy that costs nothing."""
    response = visitor.post(
        "/subscriptions", {"product": product}, **{"Idempotency-Key": str(uuid4())}
    )
    assert response.status_code in {200, 201}, response.text


def mails_in(folder: Path) -> list[EmailMessage]:
    """Return the mails that were sent, newest first."""
    return [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in sorted(folder.glob("*.eml"), reverse=True)
    ]


def text_of(mail: EmailMessage) -> str:
    """Return the text of *mail* for a reader without HTML."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def eventually(
    find: Callable[[], T | None],
    *,
    what: str,
    within_s: float = PATIENCE_S,
    tell: Callable[[], str] = str,
) -> T:
    """Ask again and again until the answer is something; fail after *within_s* seconds with what *tell* says."""
    deadline = time.monotonic() + within_s
    while True:
        found = find()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}\n{tell()}"
        time.sleep(0.25)


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Start everything on a migrated database, and leave nothing behind."""
    with fresh_database(template=template_database()) as database_url:
        yield from _running(folder, database_url)


def _running(folder: Path, database_url: str) -> Iterator[Stack]:
    port, simulator_port = free_port(), free_port()
    application = Application(
        checkout=CHECKOUT,
        state=folder,
        environment={
            **{name: value for name, value in os.environ.items() if name.isupper()},
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": database_url,
            # A broker database of its own, so that no other test's messages arrive here.
            "REDIS_URL": urlunsplit(
                urlsplit(os.environ["REDIS_URL"])._replace(path=_broker_path())
            ),
            "SITE_URL": f"http://{LOOPBACK}:{port}",
            "SIMULATOR_URL": f"http://{LOOPBACK}:{simulator_port}",
            "EMAIL_URL": f"filemail://{folder / 'mail'}",
            "APP_HORIZON_SCALE": "0.3",
        },
    )
    with Watchdog() as watchdog:
        stack = Stack(
            application,
            f"http://{LOOPBACK}:{port}",
            f"http://{LOOPBACK}:{simulator_port}",
            folder,
            watchdog,
        )
        try:
            _flush_broker(application.environment["REDIS_URL"])
            stack.manage("sync_catalogue")
            stack.manage("load_sample_data")
            stack.start(application.simulator(simulator_port))
            for spec in (application.web(port), *application.workers(), application.beat()):
                stack.start(_verbose(spec))
            eventually(
                lambda: _answers(f"{stack.url}/readyz"),
                what="the platform is ready",
                tell=lambda: stack.logs()[-10_000:],
            )
            yield stack
        finally:
            stack.stop()


def _verbose(spec: ProcessSpec) -> ProcessSpec:
    environment = dict(spec.environment or {})
    return replace(spec, environment=environment | {"LOG_LEVEL": "DEBUG"})


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def _broker_path() -> str:
    """Return a broker database of this test worker alone; a server has sixteen."""
    return f"/{8 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw')) % 8}"


def _flush_broker(url: str) -> None:
    code = "import sys, redis; redis.Redis.from_url(sys.argv[1]).flushdb()"
    subprocess.run([sys.executable, "-c", code, url], check=True)


@contextmanager
def fresh_database(*, template: str = "template1") -> Iterator[str]:
    """Create a copy of *template*, an empty database by default, and return its address; it is dropped at the end."""
    name = f"flows_{secrets.token_hex(4)}"
    server = address_of("postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield address_of(name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
