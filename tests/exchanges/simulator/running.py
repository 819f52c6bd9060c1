"""A simulator in a process of its own, and two ways to talk to it."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

CHECKOUT = Path(__file__).resolve().parents[3]
ADMIN_TOKEN = "a-token-for-tests"
ACCOUNT = "KEY:SECRET:USDT=100000,BTC=1"


class SimulatorProcess:
    """``python -m exchanges.simulator`` on a free port; a context manager that ends it."""

    def __init__(self, *options: str, accounts: Sequence[str] = (ACCOUNT,)) -> None:
        command = [sys.executable, "-m", "exchanges.simulator", "--port", "0", *options]
        for account in accounts:
            command += ["--account", account]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'platform'}",
            "SIMULATOR_ADMIN_TOKEN": ADMIN_TOKEN,
        }
        self.process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.lines: list[str] = []
        while not self.lines or " ready on " not in self.lines[-1]:
            line = self.process.stdout.readline()
            if not line:
                self.close()
                raise RuntimeError(f"The simulator ended with {self.process.returncode}.")
            self.lines.append(line)
        self.url = self.lines[-1].split()[3]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; return the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


class RawClient:
    """Sends requests as they are given, good or bad; signs with the key it has."""

    def __init__(self, url: str, *, key: str = "KEY", secret: str = "SECRET") -> None:
        self.key, self.secret = key, secret
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=10)

    def close(self) -> None:
        self._connection.close()

    def send(
        self, method: str, target: str, *, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return the status and the JSON of the answer."""
        self._connection.request(method, target, body=body, headers=headers or {})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def public(self, path: str, **parameters: object) -> Any:
        """Return the answer to a question that needs no key."""
        status, answer = self.send("GET", f"{path}?{urlencode(parameters)}")
        assert status == 200, answer
        return answer

    def signed(self, method: str, path: str, **parameters: object) -> tuple[int, Any]:
        """Send a correctly signed request, unless *parameters* say otherwise."""
        query = urlencode({"timestamp": time.time_ns() // 1_000_000, **parameters})
        signature = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return self.send(
            method, f"{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": self.key}
        )

    def all_pages(self, path: str, cursor: str, key: str) -> list[Any]:
        """Return every order or trade of BTCUSDT, read page by page by its id."""
        found: list[Any] = []
        start = 0
        while True:
            query = {"symbol": "BTCUSDT", cursor: start, "limit": 1_000}
            status, page = self.signed("GET", path, **query)
            assert status == 200, page
            found += page
            if len(page) < 1_000:
                return found
            start = page[-1][key] + 1

    def order(self, **parameters: object) -> tuple[int, Any]:
        """Send a new order for BTCUSDT, a market order to buy 0.01 by default."""
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        chosen = {key: value for key, value in (order | parameters).items() if value is not None}
        return self.signed("POST", "/api/v3/order", **chosen)

    def admin(self, method: str, path: str, document: object = None) -> tuple[int, Any]:
        """Send a request of the administrator."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
        return self.send(method, path, body=json.dumps(document), headers=headers)
