"""How a venue is spoken to through ccxt; packs override what their venue does differently."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions, PositionReport
from exchanges.adapters.trade_pages import read_windows
from market.errors import UnsupportedByVenueError

if TYPE_CHECKING:
    from exchanges.adapters.packs.base import VenuePack

Document = Mapping[str, Any]

#: The ids that trading makes.
OURS: Final = re.compile(r"[0-9a-f]{32}")


class UnusableIdError(ValueError):
    """A client order id that cannot be written as the venue wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """An order in the venue's own terms: amounts as text, the quantity in contracts if those trade."""

    symbol: str
    type: str
    side: str
    quantity: str
    price: str | None
    trigger_price: str | None
    reduce_only: bool
    client_id: str
    parameters: Mapping[str, Any]


class Dialect:
    """What most venues have in common; ``exchange`` is always an instance of ccxt, whose types are Any.

    Orders, trades and balances are returned as ccxt parses them. Whatever it raises may pass: the answer itself is
    judged, not the exception.
    """

    #: The form of the ids that go to the venue, and the parameter of ccxt that carries them.
    client_id = re.compile(r"[0-9a-zA-Z_-]{1,32}")
    client_id_field = "clientOrderId"

    def id_to_venue(self, client_order_id: str) -> str:
        """Return our id as the venue wants it; the same each time."""
        if not self.client_id.fullmatch(client_order_id):
            raise UnusableIdError(client_order_id)
        return client_order_id

    def id_from_venue(self, text: str) -> str:
        """Return our id of what the venue calls an order; a stranger's stays what it is."""
        return text

    def word_of(self, document: Document) -> Word | None:
        """Return the no in an answer, or None."""
        return word_in(document, code="code", message="msg")

    def set_up(self, exchange: Any) -> None:
        """Change what ccxt gets wrong about a new instance."""

    def inherit(self, exchange: Any, keeper: Any) -> None:
        """Take over what *keeper* learnt with the markets beyond them."""

    async def get_ready(self, exchange: Any) -> None:
        """Learn what orders of the account need, once for a client."""

    async def create(self, exchange: Any, order: Sending) -> Document:
        """Send an order with one request."""
        parameters = {**order.parameters, self.client_id_field: order.client_id}
        if order.trigger_price is not None:
            parameters["stopLossPrice"] = order.trigger_price
        if order.reduce_only:
            parameters["reduceOnly"] = True
        answer: Document = await exchange.create_order(
            order.symbol, order.type, order.side, order.quantity, order.price, parameters
        )
        return answer

    async def cancel(
        self, exchange: Any, symbol: str, *, client_id: str, venue_order_id: str
    ) -> Document:
        """Cancel an order, by our id if there is one."""
        parameters = {self.client_id_field: client_id} if client_id else {}
        answer: Document = await exchange.cancel_order(venue_order_id, symbol, parameters)
        return answer

    async def find(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Return the order of our id, or None if the venue has answered that there is none."""
        order: Document = await exchange.fetch_order("", symbol, {self.client_id_field: client_id})
        return order

    def may_name_stop(self, venue_order_id: str) -> bool:
        """Tell whether an order with this id may be a stop; most venues number all orders alike."""
        return True

    async def open_orders(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return what still works."""
        orders: Sequence[Document] = await exchange.fetch_open_orders(symbol)
        return orders

    async def trades(
        self, exchange: Any, pack: "VenuePack", symbol: str, *, since_ms: int
    ) -> Sequence[Document]:
        """Return every execution since an instant, oldest first."""
        return await read_windows(exchange, pack, symbol, since_ms=since_ms)

    async def balances(self, exchange: Any) -> Document:
        """Return what the account holds."""
        balance: Document = await exchange.fetch_balance()
        return balance

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the API key may do; a venue that cannot tell is asked for balances instead."""
        await self.balances(exchange)
        return KeyPermissions(can_read=True, can_trade=True, can_withdraw=None)

    async def positions(self, exchange: Any) -> Sequence[PositionReport]:
        """Return the swaps that are held."""
        return ()

    async def funding_payments(self, exchange: Any, *, since_ms: int) -> Sequence[Document]:
        """Return what fundings took and brought since an instant, oldest first, each once."""
        raise UnsupportedByVenueError

    async def arm_dead_man(self, exchange: Any, *, timeout_s: int) -> None:
        """Arm the venue's dead man's switch."""
        raise UnsupportedByVenueError


def says_absent(error: Exception) -> bool:
    """Tell whether ccxt took an answer for the venue's word that there is no such order."""
    return any(kind.__name__ == "OrderNotFound" for kind in type(error).__mro__)
