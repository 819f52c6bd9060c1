"""Steps that journeys of live trading share."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

from tests.flows.stack import Stack, Visitor, eventually

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


def connected_account(visitor: Visitor, *, venue: str = "simulator") -> str:
    """Connect a fresh simulator account by API; return its id once a worker has tested the key."""
    wallet = "futures_balances" if venue == "simulator-futures" else "balances"
    key, secret = visitor.stack.open_simulator_account(wallet=wallet, USDT="100000")
    response = visitor.post(
        "/exchange-accounts",
        {"venue": venue, "label": f"Sim {uuid4().hex[:6]}", "api_key": key, "secret": secret},
    )
    assert response.status_code == 201, response.text
    account_id = str(response.json()["id"])
    visitor.stack.keys[account_id] = (key, secret)

    def is_connected():
        account = visitor.get(f"/exchange-accounts/{account_id}")
        assert not account["status_code"], account
        return account["status"] == "ACTIVE"

    eventually(is_connected, what="the key is tested")
    return account_id


def deployed(
    visitor: Visitor,
    account_id: str,
    *,
    symbol: str,
    capital: str = "10000",
    parameters: Mapping[str, float] = PARAMETERS,
) -> str:
    """Deploy the EMA crossover on one-second bars; return the deployment's id once it runs."""
    response = visitor.post(
        "/deployments",
        {
            "name": "Journey",
            "strategy": "ema-crossover",
            "account": account_id,
            "symbol": symbol,
            "timeframe": "1s",
            "parameters": dict(parameters),
            "capital": capital,
            "stop_policy": "FLATTEN",
        },
        **{"Idempotency-Key": str(uuid4())},
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


def stop(visitor: Visitor, deployment_id: str) -> None:
    """Stop a deployment, and wait until it has."""
    command(visitor, deployment_id, "STOP")
    eventually(
        lambda: visitor.get(f"/deployments/{deployment_id}")["actual_state"] == "STOPPED",
        what="it has stopped",
    )
