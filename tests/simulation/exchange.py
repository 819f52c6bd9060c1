"""The simulator exchange within this process: its own server, handlers, faults and books, by the clock of the simulation."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp

from exchanges.adapters import loops
from exchanges.simulator.account_api import AccountApi
from exchanges.simulator.accounts import AccountSpecification
from exchanges.simulator.faults import Faults
from exchanges.simulator.futures.account_api import FuturesAccountApi
from exchanges.simulator.futures.public_api import FuturesPublicApi
from exchanges.simulator.public_api import PublicApi
from exchanges.simulator.recordings import Script
from exchanges.simulator.server import Server
from exchanges.simulator.store import Store
from exchanges.simulator.truth import Journal, Truth, read_truth
from exchanges.simulator.world import Settings, World
from tests.simulation import pipes
from tests.simulation.clock import Clock

_WEIGHT_LIMIT: Final = 600_000


class SimulatedExchange:
    """A new exchange with its prices where they stand, in memory; ``reach`` is how a client connects."""

    def __init__(self, clock: Clock, *, prices: Mapping[str, float]) -> None:
        self._clock = clock
        self._store = Store(None)
        self.prices = dict(prices)
        script = Script.parse({"prices": self._standing()})
        self.world = World(
            self._store,
            [],
            Settings(bar_seconds=60, slippage_bps=0.0),
            script=script,
            now_ms=self.now_ms(),
        )
        database = self._store.database
        self.faults = Faults(database)
        exchange, futures = self.world.exchange, self.world.futures
        routes = {
            **PublicApi(exchange, weight_limit=_WEIGHT_LIMIT).routes(),
            **AccountApi(exchange).routes(),
            **FuturesPublicApi(futures, weight_limit=_WEIGHT_LIMIT).routes(),
            **FuturesAccountApi(futures).routes(),
        }
        self._server = Server(
            self.world,
            routes,
            self.faults,
            Journal(database),
            clock=self.now_ms,
            weight_limit=_WEIGHT_LIMIT,
        )
        self._database = database
        self._heard = 0
        self._serving: set[asyncio.Task[None]] = set()
        self._ends: list[pipes.Pipe] = []
        #: What sees each piece of a request before it goes out.
        self.before_write: Callable[[bytes], bytes] = bytes

    def close(self) -> None:
        """End everything that goes on here."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        if serving:
            loops.run(_ended(serving))
        self._store.close()

    def now_ms(self) -> int:
        """Return the exchange's time: the true one."""
        return self._clock.true_us // 1_000

    def open_account(self, key: str, secret: str, *, funds: Mapping[str, Any]) -> None:
        """Create an account."""
        wanted = AccountSpecification.parse({"api_key": key, "secret": secret, **funds})
        self.world.open_account(wanted, now_ms=self.now_ms())

    def open_session(self, **_: object) -> aiohttp.ClientSession:
        """Return a session whose connections end here, in the place of the adapter's own."""
        return pipes.open_session(self.reach)

    def reach(self, protocol: Any) -> None:
        """Connect a client to the server."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=65_536, loop=loop)
        ours = asyncio.StreamReaderProtocol(reader, loop=loop)
        near, far = pipes.connect(loop, protocol, ours)
        near.before_write = self._about_to_write
        writer = asyncio.StreamWriter(far, ours, reader, loop)
        task = loop.create_task(self._server.serve(reader, writer))
        # Whoever ends its own work in this loop does not end the exchange's.
        asyncio.tasks._unregister_task(task)
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self._ends = [each for each in self._ends if not each.is_closing()] + [near]

    def _about_to_write(self, content: bytes) -> bytes:
        return self.before_write(content)

    def hang_up(self) -> None:
        """Lose the connections of all clients, as when their process dies."""
        for end in self._ends:
            end.close()
        self._ends.clear()

    def settle(self) -> None:
        """Let resting orders meet the prices up to now."""
        self.world.settle(now_ms=self.now_ms())

    def move(self, name: str, factor: float) -> None:
        """Have the price of a market at *factor* times what it was, from the next moment on."""
        self.prices[name] = round(self.prices[name] * factor, 2)
        script = Script.parse({"prices": {name: self._standing()[name]}})
        self.world.follow_script(script, now_ms=self.now_ms())

    def new_requests(self) -> list[tuple[Any, ...]]:
        """Return what was asked since this was asked last: instant, method, path, key, client id, whole or not."""
        rows = self._database.all(
            "SELECT id, at_ms, method, path, api_key, client_order_id, is_complete, faults"
            " FROM request WHERE id > ? ORDER BY id",
            self._heard,
        )
        if rows:
            self._heard = rows[-1][0]
        return [row[1:] for row in rows]

    def truth(self, key: str) -> Truth:
        """Return what really happened to an account."""
        self.settle()
        return read_truth(self._database, account=key)

    def _standing(self) -> dict[str, list[list[float]]]:
        return {name: [[0, price]] for name, price in self.prices.items()}


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
