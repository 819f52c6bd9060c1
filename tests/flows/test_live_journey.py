"""A strategy trades on the scripted market: entry, exit, flatten, stop; and a kill in the middle."""

import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.flows.stack import Stack, Visitor, eventually

# All journeys on one worker, where they share one running platform.
pytestmark = [
    pytest.mark.flow,
    pytest.mark.xdist_group("journeys"),
    pytest.mark.timeout(400),
]

PARAMETERS = {
    "short_ema_period": 3,
    "long_ema_period": 6,
    "risk_per_trade_percent": 1.0,
    "stop_loss_percent": 10.0,
    "take_profit_percent": 50.0,
}

#: The smallest quantity that the simulator trades of ether; of bitcoin it is smaller.
LOT = Decimal("0.0001")

ENDED = {"FILLED", "CANCELED", "REJECTED", "DENIED", "EXPIRED", "ABANDONED"}


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


def is_open(visitor: Visitor, deployment_id: str) -> bool:
    """Tell whether more is held than the dust that a fee in the bought currency leaves."""
    held = Decimal(visitor.get(f"/deployments/{deployment_id}")["position"]["quantity"])
    return held >= LOT


def orders(visitor: Visitor, deployment_id: str) -> list[dict[str, Any]]:
    return list(visitor.get(f"/deployments/{deployment_id}/orders?limit=200")["results"])


def fills(visitor: Visitor, deployment_id: str) -> list[dict[str, Any]]:
    return list(visitor.get(f"/deployments/{deployment_id}/fills?limit=200")["results"])


def command(visitor: Visitor, deployment_id: str, kind: str) -> None:
    response = visitor.post(
        f"/deployments/{deployment_id}/commands",
        {"kind": kind},
        **{"Idempotency-Key": str(uuid4())},
    )
    assert response.status_code == 202, response.text


def await_entry(visitor: Visitor, deployment_id: str) -> None:
    eventually(lambda: is_open(visitor, deployment_id), what="an entry")


def test_a_strategy_enters_exits_is_flattened_and_stopped(visitor, stack):
    account_id = connected_account(visitor)
    # Up and down for ten minutes: whenever the deployment is ready, the next cross is near.
    swings = [(10 * number, 60_000 * (1.01 if number % 2 else 0.995)) for number in range(60)]
    script(stack, "BTC/USDT", *swings)
    deployment_id = deployed(visitor, account_id, symbol="BTC/USDT")

    await_entry(visitor, deployment_id)
    eventually(
        lambda: any(
            order["leg"] == "STOP" and order["status"] == "ACCEPTED"
            for order in orders(visitor, deployment_id)
        ),
        what="the stop rests at the exchange",
    )
    eventually(lambda: not is_open(visitor, deployment_id), what="the exit at the opposite cross")
    assert {fill["side"] for fill in fills(visitor, deployment_id)} == {"BUY", "SELL"}

    await_entry(visitor, deployment_id)
    command(visitor, deployment_id, "FLATTEN")
    eventually(
        lambda: not is_open(visitor, deployment_id), what="flat after the command", within_s=10
    )

    stop(visitor, deployment_id)
    assert all(order["status"] in ENDED for order in orders(visitor, deployment_id))
    decisions = visitor.get(f"/deployments/{deployment_id}/decisions")["results"]
    assert any("no entry" in decision["sentence"] for decision in decisions)


def test_killed_processes_lose_and_double_nothing(visitor, stack):
    account_id = connected_account(visitor)
    swings = [(6 * number, 3_000 * (1.01 if number % 2 else 0.995)) for number in range(60)]
    script(stack, "ETH/USDT", *swings)
    deployment_id = deployed(visitor, account_id, symbol="ETH/USDT")
    await_entry(visitor, deployment_id)

    # The market swings every few seconds, so each dies while something is decided, sent or booked.
    for victim in ("worker-orders", "worker-evaluate", "worker-ingest", "worker-control", "web"):
        stack.kill(victim)
        stack.restart(victim)
        time.sleep(4)
    eventually(lambda: _answers(visitor, deployment_id), what="the pages are back")
    before = len(fills(visitor, deployment_id))
    eventually(
        lambda: len(fills(visitor, deployment_id)) >= before + 3,
        what="it trades on after the kills",
    )

    stop(visitor, deployment_id)
    assert not is_open(visitor, deployment_id)
    assert_books_agree(visitor, account_id, deployment_id)


def stop(visitor: Visitor, deployment_id: str) -> None:
    """Stop a deployment, and wait until it has."""
    command(visitor, deployment_id, "STOP")
    eventually(
        lambda: visitor.get(f"/deployments/{deployment_id}")["actual_state"] == "STOPPED",
        what="it has stopped",
    )


def _answers(visitor: Visitor, deployment_id: str) -> bool:
    try:
        visitor.get(f"/deployments/{deployment_id}")
    except OSError:
        return False
    return True


def assert_books_agree(visitor: Visitor, account_id: str, deployment_id: str) -> None:
    """Compare our orders and fills with the exchange's own, to the last unit."""
    ours = orders(visitor, deployment_id)
    booked = fills(visitor, deployment_id)
    key, secret = visitor.stack.keys[account_id]
    venue = visitor.stack.venue_truth(key, secret, "ETHUSDT")

    assert len({order["client_order_id"] for order in ours}) == len(ours)
    sent = {order["client_order_id"] for order in ours if order["venue_order_id"]}
    assert sent == {order["clientOrderId"] for order in venue["orders"]}
    assert {fill["venue_trade_id"] for fill in booked} == {
        str(trade["id"]) for trade in venue["trades"]
    }
    assert sum(Decimal(fill["quantity"]) for fill in booked) == sum(
        Decimal(trade["qty"]) for trade in venue["trades"]
    )
    assert all(order["status"] in ENDED for order in ours)
