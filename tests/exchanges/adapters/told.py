"""A venue that is told on the loopback, and a client of it: what the tests of packs ask through."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

from exchanges.adapters.ccxt_client import CcxtVenueClient
from exchanges.adapters.credentials import ApiCredential
from exchanges.adapters.protocol import OrderRequest, Outcome
from foundation.crypto import Secret
from market.enums import OrderType
from tests.exchanges.adapters.contract import make_order
from tests.exchanges.adapters.loopback import LoopbackVenue

T = TypeVar("T")

#: Some venues sign with a key in base 64, and all want a passphrase that has one.
CREDENTIAL = ApiCredential(
    Secret("a" * 32), Secret("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"), Secret("pass")
)

runner = asyncio.Runner()

#: The venues that listen already: what a process learns of a venue, it learns once for all tests.
_listening: dict[str, LoopbackVenue] = {}


class Told:
    """One venue of the loopback and clients of it, for one conversation in one event loop."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.venue = _listening.setdefault(code, LoopbackVenue(code))
        self.venue.reset()
        self.case = self.venue.case

    def ask(self, question: Callable[[CcxtVenueClient], Awaitable[T]]) -> T:
        """Ask with a client of its own, as a task does; the markets are read once for all questions."""

        async def whole() -> T:
            if not self.venue.url:
                await self.venue.__aenter__()
            client = CcxtVenueClient(
                ccxt_id=self.code, api_url=self.venue.url, credential=CREDENTIAL, timeout_s=5
            )
            client._exchange.enableRateLimit = False
            try:
                return await question(client)
            finally:
                await client.close()

        return runner.run(whole())

    def use(self, answers: dict[str, str]) -> None:
        for call, name in answers.items():
            self.venue.use(call, name)

    def order(self, **fields: Any) -> OrderRequest:
        """Return an order of the size that the book tells of, a limit order unless it says otherwise."""
        usual = {
            "symbol": self.case["symbol"],
            "quantity": Decimal(self.case.get("quantity", "0.01")),
            "order_type": OrderType.LIMIT,
            "price": Decimal(40_000),
        }
        return make_order(**(usual | fields))

    def submit(self, order: OrderRequest) -> Outcome:
        return self.ask(lambda c: c.submit(order, timeout_s=5))

    def cancel(self, client_order_id: str) -> Outcome:
        return self.ask(
            lambda c: c.cancel(
                symbol=self.case["symbol"],
                client_order_id=client_order_id,
                venue_order_id=self.case["order_id"],
                timeout_s=5,
            )
        )

    def find(self, client_order_id: str, *, is_stop: bool = False) -> Any:
        symbol = self.case["symbol"]
        return self.ask(
            lambda c: c.find_order(symbol=symbol, client_order_id=client_order_id, is_stop=is_stop)
        )
