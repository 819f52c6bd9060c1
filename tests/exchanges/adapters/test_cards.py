"""The acceptance cards on both protocols of the simulator, and with ``--live-sandbox CODE`` on a practice market.

The practice market's key comes from SANDBOX_API_KEY, SANDBOX_SECRET and, where the venue has one, SANDBOX_PASSPHRASE.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Iterator

import pytest

from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.credentials import ApiCredential
from exchanges.adapters.packs import pack_of
from foundation.crypto import Secret
from market.enums import InstrumentKind
from tests.exchanges.adapters.cards import AcceptanceCards, Desk
from tests.exchanges.simulator.running import RawClient, SimulatorProcess

pytestmark = pytest.mark.enable_socket


class KeyDesk(Desk):
    """An account that is reached with a key."""

    def __init__(self, code: str, *, url: str = "", credential: ApiCredential) -> None:
        self.code, self.url, self.credential = code, url, credential
        is_swap = pack_of(code).kind is not InstrumentKind.SPOT
        self.symbol = "BTC/USDT:USDT" if is_swap else "BTC/USDT"
        self.cheap_symbol = "ETH/USDT:USDT" if is_swap else "BTC/USDT"

    def run(self, ask):
        return self._ask(ask, self.credential)

    def with_wrong_secret(self, ask):
        wrong = Secret("0" * 64)
        return self._ask(ask, ApiCredential(self.credential.api_key, wrong, wrong))

    def _ask(self, ask, credential):
        client = CcxtVenueClient(
            ccxt_id=self.code,
            api_url=self.url,
            credential=credential,
            is_sandbox=not self.url,
            timeout_s=10,
        )

        async def whole():
            try:
                return await ask(client)
            finally:
                await client.close()

        return asyncio.run(whole())


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A simulator on which prices stay where they are."""
    script = tmp_path_factory.mktemp("script") / "calm.json"
    prices = {"BTC/USDT": [[0, 50_000]], "ETH/USDT": [[0, 2_000]]}
    script.write_text(json.dumps({"prices": prices}))
    with SimulatorProcess("--script", str(script)) as running:
        yield running


@pytest.fixture
def desk(request: pytest.FixtureRequest) -> Desk:
    kind, _, code = request.param.partition(":")
    if kind == "sandbox":
        passphrase = os.environ.get("SANDBOX_PASSPHRASE")
        return KeyDesk(
            code,
            credential=ApiCredential(
                Secret(os.environ["SANDBOX_API_KEY"]),
                Secret(os.environ["SANDBOX_SECRET"]),
                Secret(passphrase) if passphrase else None,
            ),
        )
    simulator = request.getfixturevalue("simulator")
    key, secret = secrets.token_hex(16), secrets.token_hex(32)
    raw = RawClient(simulator.url)
    status, _ = raw.admin(
        "POST",
        "/simulator/accounts",
        {
            "api_key": key,
            "secret": secret,
            "balances": {"USDT": "100000", "BTC": "1"},
            "futures_balances": {"USDT": "100000"},
        },
    )
    raw.close()
    assert status == 201
    return KeyDesk(code, url=simulator.url, credential=ApiCredential(Secret(key), Secret(secret)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "desk" in metafunc.fixturenames:
        sandbox = metafunc.config.getoption("--live-sandbox")
        desks = (
            [f"sandbox:{sandbox}"] if sandbox else ["simulator:binance", "simulator:binanceusdm"]
        )
        metafunc.parametrize("desk", desks, indirect=True)


class TestCards(AcceptanceCards):
    """Each card on each desk."""


def test_there_are_twenty_four_of_them():
    cards = {name[:12] for name in dir(AcceptanceCards) if name.startswith("test_card_")}

    assert cards == {f"test_card_{number:02}" for number in range(1, 25)}
