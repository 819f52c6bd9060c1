"""What survives SIGKILL: every served bar, every acknowledged order, every unit of money."""

import signal
import sqlite3
import threading
import time
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.exchanges.simulator.conftest import write_script
from tests.exchanges.simulator.running import RawClient, SimulatorProcess

pytestmark = pytest.mark.enable_socket

SYMBOL = {"symbol": "BTCUSDT"}


def served_bars(url: str, to_ms: int) -> list[Any]:
    client = RawClient(url)
    try:
        return [
            client.public(
                "/api/v3/klines", symbol=symbol, interval=interval, endTime=to_ms, limit=300
            )
            for symbol in ("BTCUSDT", "SOLUSDT")
            for interval in ("1s", "1m", "1h")
        ]
    finally:
        client.close()


def test_a_restart_never_changes_a_served_bar(tmp_path: Path):
    state = ("--state", str(tmp_path / "state.sqlite"))
    with SimulatorProcess(*state) as first:
        time.sleep(2.1)
        to_ms = time.time_ns() // 1_000_000 // 1_000 * 1_000 - 3_600_000
        now_ms = time.time_ns() // 1_000_000 // 1_000 * 1_000 - 1
        before = served_bars(first.url, to_ms)
        seconds = {"symbol": "BTCUSDT", "interval": "1s", "endTime": now_ms, "limit": 60}
        client = RawClient(first.url)
        latest = client.public("/api/v3/klines", **seconds)
        client.close()
        first.close(signal.SIGKILL)

    with SimulatorProcess(*state) as second:
        client = RawClient(second.url)
        assert client.public("/api/v3/klines", **seconds) == latest
        client.close()
        assert served_bars(second.url, to_ms) == before


def test_other_recordings_begin_anew_and_say_so(tmp_path: Path):
    state = ("--state", str(tmp_path / "state.sqlite"))
    with SimulatorProcess(*state):
        pass

    with SimulatorProcess(*state, "--bar-seconds", "8") as second:
        assert "begin anew" in second.lines[0]

    with SimulatorProcess(*state, "--bar-seconds", "8") as third:
        assert len(third.lines) == 1


def test_scripts_and_resting_orders_survive_and_time_away_is_made_up_for(tmp_path: Path):
    script = tmp_path / "script.json"
    write_script(script, {"BTC/USDT": [[0, 50_000]]})
    options = ("--state", str(tmp_path / "state.sqlite"), "--script", str(script))
    with SimulatorProcess(*options) as first:
        client = RawClient(first.url)
        stop = {"type": "STOP_LOSS", "side": "SELL", "stopPrice": "49000"}
        assert client.order(**stop, newClientOrderId="stop")[0] == 200
        fall = {"prices": {"BTC/USDT": [[0, 50_000], [1, 48_000], [2, 50_000]]}}
        assert client.admin("POST", "/simulator/script", fall)[0] == 200
        client.close()
        first.close(signal.SIGKILL)
        time.sleep(2.5)

    with SimulatorProcess(*options) as second:
        client = RawClient(second.url)
        _, order = client.signed("GET", "/api/v3/order", **SYMBOL, origClientOrderId="stop")
        _, trades = client.signed("GET", "/api/v3/myTrades", **SYMBOL)
        client.close()

    assert order["status"] == "FILLED"
    assert [trade["price"] for trade in trades] == ["49000.00000000"]
    assert trades[0]["time"] == order["updateTime"]


def keep_ordering(url: str, round_number: int, acknowledged: dict[str, int]) -> None:
    """Send market and limit orders until the exchange is gone, noting every acknowledgement."""
    client = RawClient(url)
    try:
        for number in range(10_000):
            name = f"order-{round_number}-{number}"
            side = "BUY" if number % 2 else "SELL"
            limit = {"type": "LIMIT", "price": "40000", "timeInForce": "GTC", "side": "BUY"}
            more = limit if number % 5 == 0 and number < 200 else {"side": side}
            status, answer = client.order(quantity="0.001", newClientOrderId=name, **more)
            if status == 200:
                acknowledged[name] = answer["orderId"]
    except (OSError, HTTPException):
        return
    finally:
        client.close()


def test_a_kill_in_the_middle_neither_loses_nor_doubles_an_acknowledged_order(tmp_path: Path):
    script = tmp_path / "script.json"
    write_script(script, {"BTC/USDT": [[0, 50_000]]})
    state = tmp_path / "state.sqlite"
    options = ("--state", str(state), "--script", str(script))
    acknowledged: dict[str, int] = {}
    for round_number in range(4):
        with SimulatorProcess(*options) as running:
            arguments = (running.url, round_number, acknowledged)
            ordering = threading.Thread(target=keep_ordering, args=arguments)
            ordering.start()
            time.sleep(0.3 + 0.07 * round_number)
            running.close(signal.SIGKILL)
            ordering.join()

    with SimulatorProcess(*options) as running:
        client = RawClient(running.url)
        orders = client.all_pages("/api/v3/allOrders", "orderId", "orderId")
        trades = client.all_pages("/api/v3/myTrades", "fromId", "id")
        _, account = client.signed("GET", "/api/v3/account")
        client.close()

    assert len(acknowledged) > 8
    found = {order["clientOrderId"]: order["orderId"] for order in orders}
    assert len(found) == len(orders)
    assert acknowledged.items() <= found.items()
    # At most one order of each round was accepted without its acknowledgement getting through.
    assert len(orders) - len(acknowledged) <= 4
    filled = {order["orderId"] for order in orders if order["status"] == "FILLED"}
    assert sorted(filled) == [trade["orderId"] for trade in trades]
    assert balances_after(orders, trades) == {
        entry["asset"]: (Decimal(entry["free"]), Decimal(entry["locked"]))
        for entry in account["balances"]
    }


def balances_after(orders: list[Any], trades: list[Any]) -> dict[str, tuple[Decimal, Decimal]]:
    free = {"USDT": Decimal(100_000), "BTC": Decimal(1)}
    locked = Decimal(0)
    for order in orders:
        if order["status"] == "NEW":
            locked += Decimal(order["price"]) * Decimal(order["origQty"])
    for trade in trades:
        sign = 1 if trade["isBuyer"] else -1
        free["BTC"] += sign * Decimal(trade["qty"])
        free["USDT"] -= sign * Decimal(trade["quoteQty"])
        free[trade["commissionAsset"]] -= Decimal(trade["commission"])
    return {"USDT": (free["USDT"] - locked, locked), "BTC": (free["BTC"], Decimal(0))}


def test_a_second_simulator_on_the_same_state_is_refused(tmp_path: Path):
    state = tmp_path / "state.sqlite"
    twice = pytest.raises(RuntimeError, match="ended with 78")
    with SimulatorProcess("--state", str(state)), twice:
        SimulatorProcess("--state", str(state))

    connection = sqlite3.connect(state)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path):
    state = tmp_path / "state.sqlite"
    with SimulatorProcess("--state", str(state)) as running:
        client = RawClient(running.url)
        client.order()
        client.close()
    connection = sqlite3.connect(state, isolation_level=None)
    # As it was when an order filled whole or not at all.
    connection.executescript("""
        CREATE TABLE earlier (
            id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER NOT NULL UNIQUE,
            account_id INTEGER NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
            price TEXT NOT NULL, quantity TEXT NOT NULL, quote_quantity TEXT NOT NULL,
            fee TEXT NOT NULL, fee_asset TEXT NOT NULL, is_maker INTEGER NOT NULL,
            at_ms INTEGER NOT NULL
        );
        INSERT INTO earlier SELECT * FROM trade;
        DROP TABLE trade;
        ALTER TABLE earlier RENAME TO trade;
        PRAGMA user_version = 0;
    """)
    connection.close()

    with SimulatorProcess("--state", str(state)) as running:
        client = RawClient(running.url)
        rule = {"kind": "PARTIAL_FILL", "share": 0.5, "after_ms": 0}
        client.admin("POST", "/simulator/faults", rule)
        client.order()
        client.signed("GET", "/api/v3/account")
        _, trades = client.signed("GET", "/api/v3/myTrades", **SYMBOL)
        client.close()

    assert [trade["qty"] for trade in trades] == ["0.01000000", "0.00500000", "0.00500000"]
    assert len({trade["orderId"] for trade in trades}) == 2
