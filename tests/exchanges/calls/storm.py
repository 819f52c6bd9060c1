"""Many accounts that send orders at once, and what became of them."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.connections import transport_for
from exchanges.adapters.credentials import ApiCredential
from exchanges.adapters.governor import Caller, CallPriority, calling_as
from exchanges.adapters.protocol import OrderRequest, VenueClient
from foundation.crypto import Secret
from market.enums import OrderType, Side

CHECKOUT = Path(__file__).resolve().parents[3]


class StrictVenue:
    """``strict_venue`` in a process of its own."""

    def __init__(self, *, limit: int, span_s: int) -> None:
        self.limit = limit
        command = [sys.executable, "-m", "tests.exchanges.calls.strict_venue"]
        self.process = subprocess.Popen(
            [*command, str(limit), str(span_s)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def stats(self) -> dict[str, int]:
        """Return the most that was spent in any span, refused calls, and orders."""
        with urlopen(f"{self.url}/stats", timeout=5) as answer:
            return dict(json.loads(answer.read()))

    def spend(self, calls: int) -> None:
        """Spend some of the address's limit, as another program would."""
        for _ in range(calls):
            urlopen(f"{self.url}/api/v3/time", timeout=5).close()


@dataclass(frozen=True)
class Sent:
    """One order: what became of it, and after how many seconds that was known."""

    outcome: str
    took_s: float


def make_client(url: str, number: int) -> CcxtVenueClient:
    """Return a client of account *number*, as a worker keeps it."""

    key = f"key-{number}"
    return CcxtVenueClient(
        ccxt_id="binance",
        api_url=url,
        credential=ApiCredential(Secret(key), Secret("secret")),
        transport=transport_for(Caller.of(owner_id=number, api_key=key), is_kept=True),
    )


async def send(client: VenueClient, priority: CallPriority, *, timeout_s: float = 8.0) -> Sent:
    """Send one order."""

    order = OrderRequest(
        client_order_id=secrets.token_hex(12),
        symbol="BTC/USDT",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal("0.01"),
        price=Decimal(50_000),
    )
    began_s = time.perf_counter()
    with calling_as(priority):
        outcome = await client.submit(order, timeout_s=timeout_s)
    said = f"{outcome.kind.value} {outcome.code}".strip()
    return Sent(said, time.perf_counter() - began_s)


async def send_all(
    clients: Sequence[VenueClient], priority: CallPriority, *, timeout_s: float = 8.0
) -> list[Sent]:
    """Send an order of each client, all at once."""
    return await asyncio.gather(*(send(each, priority, timeout_s=timeout_s) for each in clients))


def outcomes(sent: Sequence[Sent]) -> dict[str, int]:
    """Return how often each outcome came."""
    return dict(Counter(each.outcome for each in sent))


@contextmanager
def in_a_fork(work: Callable[[], object]) -> Iterator[Callable[[], Any]]:
    """Do *work* in a fork of this process; yields what waits for its result."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writing, json.dumps(work()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)

    def result() -> Any:
        with os.fdopen(reading) as pipe:
            return json.loads(pipe.read())

    try:
        yield result
    finally:
        os.waitpid(child, 0)
