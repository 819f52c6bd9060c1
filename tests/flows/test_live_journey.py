"""A strategy trades on the scripted market: entry, exit, flatten, stop; and a kill in the middle."""

import time
from decimal import Decimal

import pytest

from tests.flows.live import (
    ENDED,
    await_entry,
    command,
    connected_account,
    deployed,
    fills,
    is_open,
    orders,
    script,
    stop,
)
from tests.flows.stack import Visitor, eventually, subscribe

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(400),
]


def test_a_strategy_enters_exits_is_flattened_and_stopped(visitor, stack):
    subscribe(visitor)
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
    subscribe(visitor)
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
