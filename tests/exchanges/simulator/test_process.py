"""The process: its options, its server, its end."""

import signal
import socket
from urllib.parse import urlsplit

import pytest

from exchanges.simulator.__main__ import main
from tests.exchanges.simulator.running import RawClient, SimulatorProcess

pytestmark = pytest.mark.enable_socket


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--candles", "/nonexistent"], "No <BASE-QUOTE>"),
        (["--account", "KEY"], "KEY:SECRET"),
        (["--account", "KEY:SECRET:USDT=much"], "not a balance"),
        (["--accounts-file", "/nonexistent"], "cannot be read"),
        (["--script", "/nonexistent"], "No such file"),
        (["--state", "/nonexistent/state"], "unable to open"),
    ],
)
def test_bad_options_end_with_78_and_a_reason(capsys, options, reason):
    assert main(["--port", "0", *options]) == 78

    assert reason in capsys.readouterr().err


def test_accounts_come_from_a_file_and_keep_their_balances(tmp_path):
    file = tmp_path / "accounts.json"
    file.write_text('[{"api_key": "FILED", "secret": "SECRET", "balances": {"USDT": "70"}}]')

    with SimulatorProcess("--accounts-file", str(file), accounts=()) as running:
        client = RawClient(running.url, key="FILED")
        _, account = client.signed("GET", "/api/v3/account")
        client.close()

    assert account["balances"] == [{"asset": "USDT", "free": "70.00000000", "locked": "0.00000000"}]


def test_sigterm_ends_it_although_a_client_stays():
    running = SimulatorProcess()
    client = RawClient(running.url)
    client.public("/api/v3/ping")

    status = running.close(signal.SIGTERM)

    client.close()
    assert status == 0


def test_three_hundred_requests_on_one_connection(simulator):
    client = RawClient(simulator.url)

    prices = [client.public("/api/v3/ticker/price", symbol="BTCUSDT") for _ in range(300)]

    client.close()
    assert {price["symbol"] for price in prices} == {"BTCUSDT"}


def test_a_state_file_that_is_none_is_refused_and_left_alone(tmp_path, capsys):
    state = tmp_path / "notes.txt"
    state.write_text("These are not the rows of a simulator. " * 100)

    assert main(["--port", "0", "--state", str(state)]) == 78

    assert "not a database" in capsys.readouterr().err
    assert state.read_text().startswith("These are not")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"HELLO\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET /api/v3/ping HTTP/1.1\r\nConnection: close\r\n\r\n", b"200"),
        (b"GET /api/v3/ping HTTP/1.0\r\n\r\n", b"200"),
    ],
)
def test_what_is_no_request_is_answered_and_the_connection_closed(simulator, sent, status):
    address = urlsplit(simulator.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(sent)
        received = b""
        try:
            while chunk := connection.recv(65_536):
                received += chunk
        except ConnectionResetError:
            # Closing with unread input resets the connection; the answer came before.
            pass

    assert received.startswith(b"HTTP/1.1 " + status)
