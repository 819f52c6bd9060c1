"""What sending orders costs beside the bare exchange library, and how a storm of five hundred accounts goes.

The venue is a process on this machine that does nothing but answer, so the figures are what we add, not what networks do.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from statistics import median, quantiles

import ccxt.async_support as library
import pytest

from exchanges.adapters import loops
from exchanges.adapters.governor import Caller, CallPriority, gate_of
from exchanges.adapters.packs import pack_of
from tests.exchanges.calls.storm import (
    Sent,
    StrictVenue,
    make_client,
    outcomes,
    send,
    send_all,
)

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(300)]

UNLIMITED = 1_000_000_000
ORDERS = 2_000
AT_ONCE = 200

#: Of the orders that the bare library sends in a second of processor time; the rest is what safety costs: the budget, the record of the wire, the checks of answers.
LEAST_SHARE = 0.33
#: Of a call's turn in the shared budget, in seconds of processor time, when many ask at once.
TURN_BUDGET_S = 0.000_5


async def in_flight(count: int, call: Callable[[int], Awaitable[object]]) -> None:
    """Make *count* calls, ``AT_ONCE`` at a time."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await call(number)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


class Measured:
    """Calls per second, and the processor time of each."""

    def __init__(self, run: Callable[[], object], *, calls: int) -> None:
        began_s, spent_s = time.perf_counter(), time.process_time()
        run()
        self.rate = calls / (time.perf_counter() - began_s)
        self.cpu_ms = (time.process_time() - spent_s) / calls * 1_000


def ours(url: str) -> Measured:
    clients = [make_client(url, secrets.randbelow(10**9)) for _ in range(AT_ONCE)]

    async def order(number: int) -> None:
        sent = await send(clients[number % AT_ONCE], CallPriority.ENTRY, timeout_s=30)
        assert sent.outcome == "DONE", sent

    loops.run(in_flight(AT_ONCE, order))
    return Measured(lambda: loops.run(in_flight(ORDERS, order)), calls=ORDERS)


def bare(url: str) -> Measured:
    async def whole() -> Measured:
        exchange = library.binance(
            {"apiKey": "key", "secret": "secret", "enableRateLimit": False, "timeout": 30_000}
        )
        exchange.urls["api"] = {"public": f"{url}/api/v3", "private": f"{url}/api/v3"}
        exchange.options["fetchMarkets"] = {"types": ["spot"]}
        exchange.has["fetchCurrencies"] = False
        exchange.options["fetchMargins"] = False

        async def order(_: int) -> None:
            await exchange.create_order("BTC/USDT", "limit", "buy", 0.01, 50_000)

        try:
            await exchange.load_markets()
            await in_flight(AT_ONCE, order)
            began_s, spent_s = time.perf_counter(), time.process_time()
            await in_flight(ORDERS, order)
            measured = Measured(lambda: None, calls=ORDERS)
            measured.rate = ORDERS / (time.perf_counter() - began_s)
            measured.cpu_ms = (time.process_time() - spent_s) / ORDERS * 1_000
            return measured
        finally:
            await exchange.close()

    return asyncio.run(whole())


def test_orders_per_second_of_a_process_beside_the_bare_library():
    # A venue for each: what the library spends unasked would count against our budget.
    pairs = []
    with (
        StrictVenue(limit=UNLIMITED, span_s=60) as theirs,
        StrictVenue(limit=UNLIMITED, span_s=60) as venue,
    ):
        for _ in range(3):
            pairs.append((bare(theirs.url), ours(venue.url)))
        assert venue.stats()["orders"] == 3 * (ORDERS + AT_ONCE)

    library_rate, our_rate = (
        median(each.rate for each in side) for side in zip(*pairs, strict=True)
    )
    library_ms, our_ms = (median(each.cpu_ms for each in side) for side in zip(*pairs, strict=True))
    # Processor time, so that a busy machine changes nothing.
    share = median(theirs_.cpu_ms / ours_.cpu_ms for theirs_, ours_ in pairs)
    print(
        f"create order, {AT_ONCE} in flight: bare ccxt {library_rate:,.0f}/s ({library_ms:.2f} ms), "
        f"ours over {AT_ONCE} accounts {our_rate:,.0f}/s ({our_ms:.2f} ms): {share:.0%}"
    )
    assert share > LEAST_SHARE


def test_the_cost_of_a_turn_in_the_shared_budget():
    gate = gate_of(
        pack_of("binance"),
        address=f"https://{secrets.token_hex(6)}.example",
        call_pause_ms=50.0,
        caller=Caller.of(owner_id=1, api_key="key"),
    )
    gate.take_limits(
        b'{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,'
        b'"limit":1000000000}]}'
    )

    async def turn(_: int) -> None:
        await gate.admit(cost=0.2, weight=1, is_order=False)

    async def one_by_one() -> None:
        for number in range(ORDERS):
            await turn(number)

    alone = Measured(lambda: loops.run(one_by_one()), calls=ORDERS)
    together = Measured(lambda: loops.run(in_flight(ORDERS, turn)), calls=ORDERS)

    print(
        f"a turn in the shared budget: alone {1_000 / alone.rate:.2f} ms ({alone.cpu_ms:.2f} ms of processor "
        f"time), {AT_ONCE} at once {1_000 / together.rate:.3f} ms ({together.cpu_ms:.3f} ms)"
    )
    assert together.cpu_ms / 1_000 < TURN_BUDGET_S


def test_five_hundred_accounts_at_one_address():
    with StrictVenue(limit=1_000, span_s=10) as venue:
        first = secrets.randbelow(10**9)
        clients = [make_client(venue.url, first + number) for number in range(500)]
        calm = [loops.run(send(clients[number], CallPriority.EXIT)) for number in range(20)]

        async def storm() -> tuple[list[Sent], list[Sent]]:
            entries = asyncio.create_task(send_all(clients, CallPriority.ENTRY, timeout_s=60))
            await asyncio.sleep(1.0)
            exits = [await send(clients[number], CallPriority.EXIT) for number in range(50)]
            return await entries, exits

        entries, exits = loops.run(storm())
        stats = venue.stats()

    print(
        f"500 accounts, 600 calls per 10 s: {stats['refused']} refused by the venue, at most {stats['most']} of "
        f"{venue.limit} in any span\n  entries {_spread(entries)}\n  exits in the storm {_spread(exits)}, "
        f"in calm {_spread(calm[1:])}"
    )
    assert (outcomes(entries), outcomes(exits)) == ({"DONE": 500}, {"DONE": 50})
    assert stats["refused"] == 0
    assert max(each.took_s for each in exits) < 1.0 < max(each.took_s for each in entries)


def _spread(sent: list[Sent]) -> str:
    cuts = quantiles([each.took_s * 1_000 for each in sent], n=100)
    return f"{cuts[49]:,.0f} ms (99 %: {cuts[98]:,.0f} ms)"
