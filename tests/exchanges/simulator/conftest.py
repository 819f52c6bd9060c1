import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exchanges.simulator.running import RawClient, SimulatorProcess


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    """A simulator that replays the shipped candles and forgets everything at the end."""
    with SimulatorProcess() as running:
        yield running


@pytest.fixture(scope="module")
def calm_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A simulator on which BTC/USDT costs 50,000 and stays there until a test moves it."""
    script = tmp_path_factory.mktemp("script") / "calm.json"
    write_script(script, {"BTC/USDT": [[0, 50_000]]})
    with SimulatorProcess("--script", str(script)) as running:
        yield running


@pytest.fixture
def client(calm_simulator: SimulatorProcess) -> Iterator[RawClient]:
    """A client of a fresh account with 100,000 USDT and 1 BTC on the calm simulator."""
    raw = RawClient(calm_simulator.url)
    raw.key = f"key-{id(raw)}-{len(calm_simulator.lines)}"
    balances = {"USDT": "100000", "BTC": "1"}
    document = {"api_key": raw.key, "secret": raw.secret, "balances": balances}
    status, _ = raw.admin("POST", "/simulator/accounts", document)
    calm_simulator.lines.append(raw.key)
    assert status == 201
    yield raw
    raw.admin("DELETE", "/simulator/faults")
    raw.close()


def write_script(path: Path, prices: dict[str, list[list[float]]]) -> None:
    path.write_text(json.dumps({"prices": prices}))
