"""What is known after the simulator itself was killed, and while it runs."""

import json
import signal
import socket
import time
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from exchanges.simulator.truth import read_file
from tests.exchanges.simulator.conftest import write_script
from tests.exchanges.simulator.running import RawClient, SimulatorProcess

pytestmark = pytest.mark.enable_socket

ACCOUNT = "KEY:SECRET:USDT=100000,BTC=1:USDT=10000"
SHORT = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.1"}


def test_everything_survives_a_kill_and_is_read_from_the_file(tmp_path: Path):
    script, program = tmp_path / "script.json", tmp_path / "faults.toml"
    state = tmp_path / "state.sqlite3"
    write_script(script, {"BTC/USDT": [[0, 50_000]]})
    program.write_text(
        'seed = 3\n[[rules]]\nkind = "ACCEPTED_CLOSED"\ncall = "CREATE"\n'
        '[[rules]]\nkind = "HIDDEN_ORDER"\nlookups = 2\n'
    )
    options = ("--state", str(state), "--script", str(script))
    with SimulatorProcess(*options, "--faults", str(program), accounts=[ACCOUNT]) as first:
        client = RawClient(first.url)
        with pytest.raises((HTTPException, ConnectionError)):
            client.order(newClientOrderId="lost")
        client.close()
        client = RawClient(first.url)
        assert client.signed("POST", "/fapi/v1/order", **SHORT, newClientOrderId="short")[0] == 200
        stop = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "STOP_MARKET",
            "closePosition": "true",
            "algoType": "CONDITIONAL",
            "triggerPrice": "51000",
            "clientAlgoId": "stop",
        }
        assert client.signed("POST", "/fapi/v1/algoOrder", **stop)[0] == 200
        send_half_a_request(first.url)
        assert read_file(state)["futures_positions"], "the file can be read while it is used"
        client.close()
        first.close(signal.SIGKILL)

    truth = read_file(state, account="KEY")

    assert [row["client_order_id"] for row in truth["spot_orders"]] == ["lost"]
    assert [row["quantity"] for row in truth["futures_positions"]] == ["-0.1"]
    assert [row["lookups"] for row in truth["hidden_orders"]] == [2]
    asked = {row["client_order_id"]: row for row in truth["requests"]}
    assert set(asked) == {"lost", "short", "stop"}
    assert (asked["lost"]["status"], asked["lost"]["executed"]) == (None, 1)
    assert json.loads(asked["lost"]["faults"]) == ["ACCEPTED_CLOSED", "HIDDEN_ORDER"]
    assert (asked["short"]["status"], json.loads(asked["short"]["faults"])) == (200, [])
    assert not [row for row in truth["requests"] if "signature" in row["parameters"]]
    broken = [row for row in read_file(state)["requests"] if not row["is_complete"]]
    assert [(row["method"], row["path"], row["status"]) for row in broken] == [
        ("POST", "/api/v3/order", None)
    ]
    assert all("SECRET" not in json.dumps(rows) for rows in truth.values())
    the_next_one_goes_on(options, state)


def the_next_one_goes_on(options: tuple[str, ...], state: Path) -> None:
    """Start again: the hidden order is still hidden, and the stop closes what was sold."""
    with SimulatorProcess(*options, accounts=[ACCOUNT]) as second:
        client = RawClient(second.url)
        by_id = {"symbol": "BTCUSDT", "origClientOrderId": "lost"}
        codes = [client.signed("GET", "/api/v3/order", **by_id)[1].get("code") for _ in range(3)]
        rise = {"stepped": True, "prices": {"BTC/USDT": [[0, 51_500]]}}
        _, answer = client.admin("POST", "/simulator/script", rise)
        while time.time() * 1_000 < answer["start_ms"] + 300:
            time.sleep(0.05)
        _, truth = client.admin("GET", "/simulator/truth?account=KEY")
        client.close()

    assert codes == [-2013, -2013, None]
    assert [row["status"] for row in truth["futures_stops"]] == ["FINISHED"]
    assert [Decimal(row["quantity"]) for row in truth["futures_positions"]] == [0]
    assert [Decimal(row["realized"]) for row in truth["futures_trades"]] == [0, -150]
    assert truth["futures_trades"] == read_file(state, account="KEY")["futures_trades"]


def send_half_a_request(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.sendall(b"POST /api/v3/order HTTP/1.1\r\nContent-Length: 100\r\n\r\nsymbol=BTC")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""


def test_only_the_administrator_is_told_the_truth(client: RawClient):
    assert client.send("GET", "/simulator/truth")[0] == 403
