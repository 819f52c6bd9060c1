"""A strategy trades on the scripted market: entry, exit, flatten, stop; and a kill in the middle."""

import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.flows.stack import Stack, Visitor, eventually

pytestmark = [pytest.mark.flow, pytest.mark.timeout(400)]

PARAMETERS = {
    "short_ema_period": 3,
    "long_ema_period": 6,
    "risk_per_trade_percent": 1.0,
    "stop_loss_percent": 10.0,
    "take_profit_percent": 50.0,
}

#: Far enough apart that each leg is seen, and close enough that the test ends soon.
FLAT, UP, DOWN = 60_000, 60_600, 59_700


def connected_account(visitor: Visitor) -> str:
    """Connect a fresh simulator account by API; return its id once a worker has tested the key."""
    key, secret = visitor.stack.open_simulator_account(USDT="100000")
    response = visitor.post(
        "/exchange-accounts",
        {"venue": "simulator", "label": f"Sim {uuid4().hex[:6]}", "api_key": key, "secret": secret},
    )
    assert response.status_code == 201, response.text
    account_id = str(response.json()["id"])
    visitor.stack.keys[account_id] = (key, secret)

    def is_connected():
        account = visitor.get(f"/exchange-accounts/{account_id}")
        assert account["status"] not in {"REJECTED", "UNREACHABLE"}, account
        return account["status"] == "CONNECTED"

    eventually(is_connected, what="the key is tested")
    return account_id


def deployed(visitor: Visitor, account_id: str, *, symbol: str, capital: str = "10000") -> str:
    """Deploy the EMA crossover on one-second bars; return the deployment's id once it runs."""
    response = visitor.post(
        "/deployments",
        {
            "name": "Journey",
            "strategy": "ema-crossover",
            "account": account_id,
            "symbol": symbol,
            "timeframe": "1s",
            "parameters": PARAMETERS,
            "capital": capital,
            "stop_policy": "FLATTEN",
        },
    )
    assert response.status_code == 201, response.text
    deployment_id = str(response.json()["id"])
    eventually(
        lambda: visitor.get(f"/deployments/{deployment_id}")["actual_state"] == "RUNNING",
        what="the deployment runs",
    )
    return deployment_id


def script(stack: Stack, symbol: str, *points: tuple[float, float]) -> None:
    """Let the market move from point to point (seconds from now, price)."""
    stack.simulate("script", prices={symbol: [list(point) for point in points]})


def quantity(visitor: Visitor, deployment_id: str) -> Decimal:
    return Decimal(visitor.get(f"/deployments/{deployment_id}")["position"]["quantity"])


def orders(visitor: Visitor, deployment_id: str) -> list[dict[str, Any]]:
    return list(visitor.get(f"/deployments/{deployment_id}/orders")["results"])


def command(visitor: Visitor, deployment_id: str, kind: str) -> None:
    response = visitor.post(
        f"/deployments/{deployment_id}/commands",
        {"kind": kind},
        **{"Idempotency-Key": str(uuid4())},
    )
    assert response.status_code == 202, response.text


def await_entry(visitor: Visitor, deployment_id: str) -> None:
    eventually(lambda: quantity(visitor, deployment_id) > 0, what="an entry")


def test_a_strategy_enters_exits_is_flattened_and_stopped(visitor, stack):
    account_id = connected_account(visitor)
    script(
        stack,
        "BTC/USDT",
        (0, FLAT),
        (14, FLAT),
        (22, UP),
        (34, UP),
        (44, DOWN),
        (54, DOWN),
        (62, UP),
        (600, UP),
    )
    deployment_id = deployed(visitor, account_id, symbol="BTC/USDT")

    await_entry(visitor, deployment_id)
    working = [order for order in orders(visitor, deployment_id) if order["leg"] == "STOP"]
    eventually(
        lambda: any(
            order["leg"] == "STOP" and order["status"] == "ACCEPTED"
            for order in orders(visitor, deployment_id)
        ),
        what="the stop rests at the exchange",
    )
    eventually(lambda: quantity(visitor, deployment_id) == 0, what="the exit at the opposite cross")
    sides = [fill["side"] for fill in visitor.get(f"/deployments/{deployment_id}/fills")["results"]]
    assert sorted(set(sides)) == ["BUY", "SELL"]
    assert len(working) <= 1

    await_entry(visitor, deployment_id)
    asked = time.monotonic()
    command(visitor, deployment_id, "FLATTEN")
    eventually(
        lambda: quantity(visitor, deployment_id) == 0, what="flat after the command", within_s=10
    )
    assert time.monotonic() - asked < 10

    command(visitor, deployment_id, "STOP")
    eventually(
        lambda: visitor.get(f"/deployments/{deployment_id}")["actual_state"] == "STOPPED",
        what="it has stopped",
    )
    assert all(
        order["status"] in {"FILLED", "CANCELED", "REJECTED", "DENIED", "EXPIRED"}
        for order in orders(visitor, deployment_id)
    )
    decisions = visitor.get(f"/deployments/{deployment_id}/decisions")["results"]
    assert any("no entry" in decision["sentence"] for decision in decisions)


@pytest.mark.parametrize(
    "victim", ["worker-orders", "worker-evaluate", "worker-ingest", "worker-control", "web"]
)
def test_a_killed_process_loses_and_doubles_nothing(victim, visitor, stack):
    account_id = connected_account(visitor)
    script(
        stack, "ETH/USDT", (0, 3000), (14, 3000), (22, 3030), (34, 3030), (44, 2985), (600, 2985)
    )
    deployment_id = deployed(visitor, account_id, symbol="ETH/USDT")

    # The entry comes some seconds after the flat stretch; the process dies while it is decided, sent or booked.
    time.sleep(9)
    for _ in range(3):
        stack.kill(victim)
        time.sleep(0.7)
        stack.restart(victim)
        time.sleep(1.5)
    eventually(lambda: _answers(visitor, deployment_id), what="the pages are back")
    eventually(
        lambda: (
            quantity(visitor, deployment_id) == 0
            and bool(visitor.get(f"/deployments/{deployment_id}/fills")["results"])
        ),
        what="an entry and its exit in spite of the kills",
        within_s=90,
    )

    command(visitor, deployment_id, "STOP")
    eventually(
        lambda: visitor.get(f"/deployments/{deployment_id}")["actual_state"] == "STOPPED",
        what="it has stopped",
    )
    assert_books_agree(visitor, account_id, deployment_id)


def _answers(visitor: Visitor, deployment_id: str) -> bool:
    try:
        visitor.get(f"/deployments/{deployment_id}")
    except OSError:
        return False
    return True


def assert_books_agree(visitor: Visitor, account_id: str, deployment_id: str) -> None:
    """Compare our orders and fills with the exchange's own, to the last unit."""
    ours = orders(visitor, deployment_id)
    fills = visitor.get(f"/deployments/{deployment_id}/fills")["results"]
    key, secret = visitor.stack.keys[account_id]
    venue = visitor.stack.venue_truth(key, secret, "ETHUSDT")

    assert len({order["client_order_id"] for order in ours}) == len(ours)
    sent = {order["client_order_id"] for order in ours if order["venue_order_id"]}
    assert sent == {order["clientOrderId"] for order in venue["orders"]}
    assert {fill["venue_trade_id"] for fill in fills} == {
        str(trade["id"]) for trade in venue["trades"]
    }
    assert sum(Decimal(fill["quantity"]) for fill in fills) == sum(
        Decimal(trade["qty"]) for trade in venue["trades"]
    )
    assert all(
        order["status"] in {"FILLED", "CANCELED", "REJECTED", "DENIED", "EXPIRED", "ABANDONED"}
        for order in ours
    )
