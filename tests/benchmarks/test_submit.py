"""Sending an order costs little more than its one request: a worker makes a client for every piece of work.

Processor time is what is measured, so that a busy machine changes nothing.
"""

import asyncio
import secrets
import time
from statistics import median

import pytest

from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.credentials import ApiCredential
from exchanges.adapters.protocol import OutcomeKind
from foundation.crypto import Secret
from tests.exchanges.adapters.contract import make_order
from tests.exchanges.simulator.running import SimulatorProcess

BUDGET_S = 0.015
ROUNDS = 30


@pytest.mark.enable_socket
def test_a_client_made_for_one_order_stays_within_its_budget():
    key, secret = secrets.token_hex(16), secrets.token_hex(16)
    with SimulatorProcess(accounts=[f"{key}:{secret}:USDT=100000"]) as simulator:
        credential = ApiCredential(Secret(key), Secret(secret))

        def send() -> float:
            order = make_order()
            start = time.process_time()
            client = CcxtVenueClient(
                ccxt_id="binance", api_url=simulator.url, credential=credential
            )

            async def whole():
                try:
                    return await client.submit(order, timeout_s=5)
                finally:
                    await client.close()

            outcome = asyncio.run(whole())
            assert outcome.kind is OutcomeKind.DONE
            return time.process_time() - start

        send()
        spent_s = median(send() for _ in range(ROUNDS))

    print(f"an order and its client: {spent_s * 1_000:.1f} ms of processor time")
    assert spent_s < BUDGET_S
