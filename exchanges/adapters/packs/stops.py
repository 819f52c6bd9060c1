"""Stops that a venue keeps apart from its orders, with ids of their own; a stop that was touched sends an order.

Here both are one: a stop keeps its id, and what the order that it sent has become is told of in its name.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from exchanges.adapters.packs.dialect import Dialect, Document, Sending, says_absent
from exchanges.adapters.reading import UnreadableError
from market.timeframes import DAY_MS

if TYPE_CHECKING:
    from exchanges.adapters.packs.base import VenuePack

#: Before the venue's own id of a stop, so that no other order has it.
STOP: Final = "stop-"
#: A stop that sent an order may be so much older than that.
_LATELY_MS: Final = 7 * DAY_MS
#: Where a client remembers which stop sent which order.
_SENT_BY: Final = "orderSentByStop"


class StopDialect(Dialect):
    """Plain orders and stops behind one door.

    A pack says how its venue is asked about stops alone. Their ids come without the mark that they get here.
    """

    async def create_stop(self, exchange: Any, order: Sending) -> Document:
        """Send a stop with one request."""
        raise NotImplementedError

    async def cancel_stop(
        self, exchange: Any, symbol: str, *, client_id: str, stop_id: str
    ) -> Document:
        """Cancel a stop, by our id if there is one."""
        raise NotImplementedError

    async def find_stop(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Return the stop of our id; None, or what ccxt raises, if the venue has answered that there is none."""
        raise NotImplementedError

    async def open_stops(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return the stops that still wait."""
        raise NotImplementedError

    async def sent_by(self, exchange: Any, stop: Document) -> str:
        """Return the id of the order that a stop has sent; empty if it has sent none."""
        raise NotImplementedError

    async def sent_lately(self, exchange: Any, symbol: str, *, since_ms: int) -> Mapping[str, str]:
        """Return which stop sent an order, by the order's id, as far back as the venue tells without a search."""
        raise NotImplementedError

    # --- what all of these venues have in common ------------------------------------------------

    async def find_plain(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Return the order of our id that is no stop, as ``find_stop`` does."""
        return await super().find(exchange, symbol, client_id)

    async def fetch_sent(self, exchange: Any, symbol: str, order_id: str) -> Document | None:
        """Return the order that a stop has sent."""
        order: Document = await exchange.fetch_order(order_id, symbol)
        return order

    async def create(self, exchange: Any, order: Sending) -> Document:
        """Send an order with one request, a stop to where stops are kept."""
        if order.trigger_price is None:
            return await super().create(exchange, order)
        return marked(await self.create_stop(exchange, order))

    async def cancel(
        self, exchange: Any, symbol: str, *, client_id: str, venue_order_id: str
    ) -> Document:
        """Cancel an order; what kind it is of, its id tells, or the venue that knows none of that kind."""
        stop_id = venue_order_id.removeprefix(STOP)
        if stop_id == venue_order_id:
            plain = self.cancel_plain(
                exchange, symbol, client_id=client_id, venue_order_id=venue_order_id
            )
            if venue_order_id:
                return await plain or {}
            answer = await known(plain)
            if answer is not None:
                return answer
        return marked(
            await self.cancel_stop(exchange, symbol, client_id=client_id, stop_id=stop_id)
        )

    async def cancel_plain(
        self, exchange: Any, symbol: str, *, client_id: str, venue_order_id: str
    ) -> Document | None:
        """Cancel an order that is no stop; None, or what ccxt raises, if the venue knows none."""
        return await super().cancel(
            exchange, symbol, client_id=client_id, venue_order_id=venue_order_id
        )

    async def find(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Return the order or the stop of our id."""
        order = await known(self.find_plain(exchange, symbol, client_id))
        if order is not None:
            return await self._in_name_of_stop(exchange, symbol, order, client_id)
        stop = await self.find_stop(exchange, symbol, client_id)
        return None if stop is None else await self.ended(exchange, symbol, stop)

    def may_name_stop(self, venue_order_id: str) -> bool:
        """Tell whether it is the id of a stop: they have numbers of their own."""
        return venue_order_id.startswith(STOP)

    async def _in_name_of_stop(
        self, exchange: Any, symbol: str, order: Document, client_id: str
    ) -> Document:
        """Return a plain order; one that a stop has sent, which may carry the stop's client id, as that stop."""
        if not order.get("reduceOnly"):
            # It opens, which no stop of ours does.
            return order
        stop = await known(self.find_stop(exchange, symbol, client_id))
        stop_id = "" if stop is None else str(stop["id"])
        if not stop_id:
            # The list is asked as well: a venue's no must not be the last word of an answer.
            since_ms = max(int(order.get("timestamp") or 0) - _LATELY_MS, 0)
            lately = await self.sent_lately(exchange, symbol, since_ms=since_ms)
            stop_id = lately.get(str(order["id"]), "")
        if not stop_id:
            return order
        own = f"{STOP}{stop_id}"
        exchange.options.setdefault(_SENT_BY, {})[str(order["id"])] = own
        return {**order, "id": own}

    async def ended(self, exchange: Any, symbol: str, stop: Document) -> Document:
        """Return a stop with what became of the order that it has sent, if it has."""
        sent = await self.sent_by(exchange, stop)
        if not sent:
            if stop["status"] == "closed":
                # It was touched, so it is no longer waiting; the venue does not tell yet what for.
                raise UnreadableError("a touched stop names no order")
            return marked(stop)
        own = f"{STOP}{stop['id']}"
        exchange.options.setdefault(_SENT_BY, {})[sent] = own
        order = await known(self.fetch_sent(exchange, symbol, sent))
        if order is None:
            # The stop is there, so this is no word on it; what it sent is not told of yet.
            raise UnreadableError("the order of a stop is missing")
        return {**order, "id": own, "clientOrderId": stop["clientOrderId"]}

    async def open_orders(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return the orders and the stops that still work.

        What a stop may just have sent is left out: asked for by our id, it is told of in the stop's name.
        """
        plain = await self.open_plain(exchange, symbol)
        stops = await self.open_stops(exchange, symbol)
        own = [order for order in plain if not _may_be_sent_by_stop(order)]
        return [*own, *(marked(stop) for stop in stops)]

    async def open_plain(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return the orders that still work and are no stops."""
        return await super().open_orders(exchange, symbol)

    async def trades(
        self, exchange: Any, pack: "VenuePack", symbol: str, *, since_ms: int
    ) -> Sequence[Document]:
        """Return every execution, those of an order that a stop sent in the stop's name.

        What the venue does not tell of lately is known once it was looked up by this client.
        """
        trades = await self.plain_trades(exchange, pack, symbol, since_ms=since_ms)
        if not trades:
            return trades
        lately = await self.sent_lately(exchange, symbol, since_ms=since_ms)
        names = {**exchange.options.get(_SENT_BY, {})} | {
            order_id: f"{STOP}{stop_id}" for order_id, stop_id in lately.items()
        }
        return [{**trade, "order": names.get(trade["order"], trade["order"])} for trade in trades]

    async def plain_trades(
        self, exchange: Any, pack: "VenuePack", symbol: str, *, since_ms: int
    ) -> Sequence[Document]:
        """Return every execution, each in the name of the order that the venue names."""
        return await super().trades(exchange, pack, symbol, since_ms=since_ms)


def _may_be_sent_by_stop(order: Document) -> bool:
    """Tell whether an open order under its own number could be what a stop has sent; ours close at the market."""
    is_named = str(order["id"]).startswith(STOP)
    return bool(order.get("reduceOnly")) and order["type"] == "market" and not is_named


def marked(stop: Document) -> Document:
    """Return a stop with an id that no other order can have."""
    return {**stop, "id": f"{STOP}{stop['id']}" if stop["id"] else stop["id"]}


async def known(question: Awaitable[Document | None]) -> Document | None:
    """Return an order; None if the venue has answered, in whichever way, that there is none."""
    try:
        return await question
    except Exception as error:
        if not says_absent(error):
            raise
        return None
