"""A simulator exchange in a process of its own, with accounts made as tests need them."""

import json
import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.credentials import ApiCredential
from foundation.crypto import Secret
from tests.exchanges.adapters.card_table import Ran, heading_of, lines_of
from tests.exchanges.adapters.contract import Harness
from tests.exchanges.simulator.running import RawClient, SimulatorProcess


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the acceptance cards as a table where they were run with keys."""
    venue = config.getoption("--live-sandbox")
    if not venue:
        return
    runs = [
        Ran(report.nodeid, outcome, report.duration, _reason_of(report))
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" or outcome == "error"
    ]
    runs = [Ran(r.name, "failed", r.seconds, r.reason) if r.outcome == "error" else r for r in runs]
    terminalreporter.section(heading_of(venue, os.environ, settings.EGRESS_ADDRESSES))
    for line in lines_of(runs):
        terminalreporter.write_line(line)


def _reason_of(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return "" if crash is None else str(crash.message).splitlines()[0][:100]


class SimulatorHarness(Harness):
    """A fresh account at the simulator, reached as every real venue is: by HTTP through ccxt."""

    def __init__(self, raw: RawClient, url: str) -> None:
        self.raw = raw
        self.url = url
        self.api_key = f"canary-key-{secrets.token_hex(16)}"
        self.secret = f"canary-secret-{secrets.token_hex(16)}"
        self.timeout_s = 5.0
        self.open_account()

    def open_account(self, **fields: object) -> None:
        """Make the account, or change its secret and permissions."""
        document = {
            "api_key": self.api_key,
            "secret": self.secret,
            "balances": {"USDT": "100000", "BTC": "1"},
            **fields,
        }
        status, answer = self.raw.admin("POST", "/simulator/accounts", document)
        assert status in {200, 201}, answer

    def client(self) -> CcxtVenueClient:
        return CcxtVenueClient(
            ccxt_id="binance",
            api_url=self.url,
            credential=ApiCredential(Secret(self.api_key), Secret(self.secret)),
            timeout_s=self.timeout_s,
        )

    def misbehave(self, path: str, kind: str, **fields: object) -> None:
        """Let the next request to *path* go wrong."""
        status, answer = self.raw.admin(
            "POST", "/simulator/faults", {"path": path, "kind": kind, **fields}
        )
        assert status == 200, answer

    def count_orders(self) -> int:
        """Return how many orders the simulator ever took."""
        status, answer = self.raw.admin("GET", "/simulator/status")
        assert status == 200
        return int(answer["orders"])


@pytest.fixture(scope="module")
def calm_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A simulator on which BTC/USDT costs 50,000 and stays there."""
    script = tmp_path_factory.mktemp("script") / "calm.json"
    script.write_text(json.dumps({"prices": {"BTC/USDT": [[0, 50_000]]}}))
    with SimulatorProcess("--script", str(script)) as running:
        yield running


@pytest.fixture
def simulator(calm_simulator: SimulatorProcess) -> Iterator[SimulatorHarness]:
    """A fresh account at the calm simulator."""
    raw = RawClient(calm_simulator.url)
    yield SimulatorHarness(raw, calm_simulator.url)
    raw.admin("DELETE", "/simulator/faults")
    raw.close()
