"""The acceptance cards on both protocols of the simulator, and with ``--live-sandbox CODE`` on a practice market.

The practice market's key comes from SANDBOX_API_KEY, SANDBOX_SECRET and, where the venue has one, SANDBOX_PASSPHRASE;
SANDBOX_URL sends the cards to another address, such as a simulator's. SANDBOX_SYMBOL and SANDBOX_CHEAP_SYMBOL choose the
markets: the second is one of which a single lot is worth less than the venue takes.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Iterator, Mapping

import pytest

from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.credentials import ApiCredential
from exchanges.adapters.packs import pack_of
from foundation.crypto import Secret
from market.enums import InstrumentKind
from tests.exchanges.adapters.card_table import Ran, heading_of, lines_of
from tests.exchanges.adapters.cards import AcceptanceCards
from tests.exchanges.adapters.desk import Desk
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
        return desk_of(code, os.environ)
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


def desk_of(code: str, environment: Mapping[str, str]) -> KeyDesk:
    """Return the desk that the environment describes; raise UsageError for one that cannot be."""
    pack, url = pack_of(code), environment.get("SANDBOX_URL", "")
    needed = ["SANDBOX_API_KEY", "SANDBOX_SECRET"]
    needed += ["SANDBOX_PASSPHRASE"] * pack.needs_passphrase
    missing = [name for name in needed if not environment.get(name)]
    if not pack.takes_orders:
        raise pytest.UsageError(f"The platform sends no orders to {code}.")
    if missing:
        raise pytest.UsageError(f"The cards of {pack.name} need {', '.join(missing)}.")
    if not url and pack.sandbox is None:
        raise pytest.UsageError(f"{pack.name} has no practice market, and SANDBOX_URL is empty.")
    passphrase = environment.get("SANDBOX_PASSPHRASE")
    credential = ApiCredential(
        Secret(environment["SANDBOX_API_KEY"]),
        Secret(environment["SANDBOX_SECRET"]),
        Secret(passphrase) if passphrase else None,
    )
    desk = KeyDesk(code, url=url, credential=credential)
    desk.symbol = environment.get("SANDBOX_SYMBOL") or desk.symbol
    desk.cheap_symbol = environment.get("SANDBOX_CHEAP_SYMBOL") or desk.cheap_symbol
    return desk


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


class TestTheRunnerWithKeys:
    """What ``--live-sandbox`` makes of the environment, and what it prints."""

    KEYS = {"SANDBOX_API_KEY": "key", "SANDBOX_SECRET": "secret"}

    def test_the_key_and_the_markets_come_from_the_environment(self):
        environment = {**self.KEYS, "SANDBOX_PASSPHRASE": "word", "SANDBOX_SYMBOL": "ETH/USDT"}

        made = desk_of("okx", environment)

        key = made.credential
        values = (key.api_key, key.secret, key.passphrase)
        assert [value.reveal() for value in values if value] == ["key", "secret", "word"]
        assert (made.url, made.symbol) == ("", "ETH/USDT")
        assert desk_of("kraken", {**self.KEYS, "SANDBOX_URL": "http://127.0.0.1:1"}).url

    @pytest.mark.parametrize(
        ("code", "environment", "said"),
        [
            ("okx", KEYS, "SANDBOX_PASSPHRASE"),
            ("binance", {}, "SANDBOX_API_KEY, SANDBOX_SECRET"),
            ("kraken", KEYS, "no practice market"),
            ("coinbase", KEYS, "sends no orders"),
        ],
    )
    def test_what_is_missing_is_said_before_anything_is_sent(self, code, environment, said):
        with pytest.raises(pytest.UsageError, match=said):
            desk_of(code, environment)

    def test_the_table_has_a_row_for_each_card_and_no_secret(self):
        runs = [
            Ran("test_card_01_a_market_order_fills[sandbox:okx]", "passed", 0.5),
            Ran("test_card_04_a_limit_order_fills[sandbox:okx]", "passed", 0.25),
            Ran("test_card_04_it_rests[sandbox:okx]", "failed", 0.25, "assert 1 == 2"),
        ]

        lines = lines_of(runs)
        heading = heading_of("okx", {"SANDBOX_SECRET": "secret"}, ["203.0.113.7"])

        assert lines[1] == "  01  passed      0.50  a market order fills"
        assert lines[4] == "  04  failed      0.50  a limit order fills (assert 1 == 2)"
        assert lines[2] == "  02  not run"
        assert (len(lines), lines[-1]) == (26, "1 of 24 cards passed")
        assert "203.0.113.7" in heading
        assert "secret" not in heading
