"""OKX spot. https://www.okx.com/docs-v5/en/

Stops are "algo orders" there, with ids of their own.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from exchanges.adapters.packs.base import MARKET_STOPS, Call, Codes, Sandbox, VenuePack
from exchanges.adapters.packs.dialect import Document, Sending
from exchanges.adapters.packs.stops import STOP, StopDialect
from exchanges.adapters.packs.words import Word, word_in
from exchanges.adapters.protocol import KeyPermissions
from exchanges.adapters.reading import UnreadableError
from market.timeframes import DAY_MS

_FINE: Final = frozenset({"0"})
#: The kind of algo order that a stop is.
_CONDITIONAL: Final = "conditional"


class OkxDialect(StopDialect):
    """Answers hold a list; what went wrong with an order is said of its entry there."""

    client_id = re.compile(r"[0-9a-zA-Z]{1,32}")

    def word_of(self, document: Document) -> Word | None:
        """Return the no of the order if there is one, else the one of the request."""
        entries = document.get("data")
        if isinstance(entries, list) and entries and isinstance(entries[0], dict):
            word = word_in(entries[0], code="sCode", message="sMsg", fine=_FINE)
            if word is not None:
                return word
        return word_in(document, code="code", message="msg", fine=_FINE)

    async def create_stop(self, exchange: Any, order: Sending) -> Document:
        """Send a stop; the library would borrow for it, and name it by itself."""
        asked = {
            "instId": exchange.market_id(order.symbol),
            "tdMode": "cash",
            "side": order.side,
            "ordType": _CONDITIONAL,
            "sz": order.quantity,
            "tgtCcy": "base_ccy",
            "slTriggerPx": order.trigger_price,
            "slTriggerPxType": "last",
            # The word for a market order.
            "slOrdPx": "-1",
            "algoClOrdId": order.client_id,
        }
        answer = await exchange.private_post_trade_order_algo(asked)
        return _read_stop(exchange, answer["data"][0], order.symbol)

    async def cancel_stop(
        self, exchange: Any, symbol: str, *, client_id: str, stop_id: str
    ) -> Document:
        """Cancel a stop, by our id if there is one."""
        by_id = {"algoClOrdId": client_id} if client_id else {"algoId": stop_id}
        answer = await exchange.private_post_trade_cancel_algos(
            [{"instId": exchange.market_id(symbol), **by_id}]
        )
        return _read_stop(exchange, answer["data"][0], symbol)

    async def find_stop(self, exchange: Any, symbol: str, client_id: str) -> Document | None:
        """Ask by our id."""
        answer = await exchange.private_get_trade_order_algo({"algoClOrdId": client_id})
        return _read_stop(exchange, answer["data"][0], symbol)

    async def open_plain(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return the orders that still work, those that a stop has sent in the stop's name."""
        orders = await super().open_plain(exchange, symbol)
        return [
            {**order, "id": f"{STOP}{order['id']}", "clientOrderId": order["info"]["algoClOrdId"]}
            if order["info"].get("algoClOrdId")
            else order
            for order in orders
        ]

    async def open_stops(self, exchange: Any, symbol: str) -> Sequence[Document]:
        """Return the stops that still wait."""
        asked = {"ordType": _CONDITIONAL, "instId": exchange.market_id(symbol)}
        answer = await exchange.private_get_trade_orders_algo_pending(asked)
        return [_read_stop(exchange, row, symbol) for row in answer["data"]]

    async def sent_by(self, exchange: Any, stop: Document) -> str:
        """Return the id of the order that a stop has sent."""
        sent = _sent_by(stop["info"])
        if len(sent) > 1:
            raise UnreadableError("a stop has sent several orders")
        return sent[0] if sent else ""

    async def sent_lately(self, exchange: Any, symbol: str, *, since_ms: int) -> Mapping[str, str]:
        """Return what the last hundred stops that were touched in a market have sent."""
        asked = {
            "ordType": _CONDITIONAL,
            "state": "effective",
            "instType": "SPOT",
            "instId": exchange.market_id(symbol),
        }
        answer = await exchange.private_get_trade_orders_algo_history(asked)
        return {id_: row["algoId"] for row in answer["data"] for id_ in _sent_by(row)}

    async def permissions(self, exchange: Any) -> KeyPermissions:
        """Return what the account's configuration says of the key that asks."""
        [account] = (await exchange.private_get_account_config())["data"]
        rights = account["perm"].split(",")
        return KeyPermissions(
            can_read="read_only" in rights,
            can_trade="trade" in rights,
            can_withdraw="withdraw" in rights,
        )

    async def arm_dead_man(self, exchange: Any, *, timeout_s: int) -> None:
        """Arm the switch for 10 to 120 seconds; 0 disarms."""
        await exchange.private_post_trade_cancel_all_after({"timeOut": str(timeout_s)})


def _sent_by(stop: Mapping[str, Any]) -> list[str]:
    return [*(stop.get("ordIdList") or filter(None, [stop.get("ordId")]))]


def _read_stop(exchange: Any, row: Mapping[str, Any], symbol: str) -> Document:
    """Return a stop as ccxt parses it, with our id, which stands in a field of its own."""
    stop = exchange.parse_order(row, exchange.market(symbol))
    return {**stop, "clientOrderId": row.get("algoClOrdId") or None}


OKX: Final = VenuePack(
    ccxt_id="okx",
    open_orders_page=100,
    name="OKX",
    dialect=OkxDialect(),
    address="https://www.okx.com",
    paths=MappingProxyType({"rest": ""}),
    calls=(
        Call("GET", "/api/v5/public/time"),
        Call("GET", "/api/v5/public/instruments"),
        Call("GET", "/api/v5/market/ticker"),
        Call("GET", "/api/v5/market/tickers"),
        Call("GET", "/api/v5/market/candles"),
        Call("GET", "/api/v5/market/history-candles"),
        Call("GET", "/api/v5/account/balance", 2),
        Call("GET", "/api/v5/account/config", 4),
        Call("POST", "/api/v5/trade/order"),
        Call("POST", "/api/v5/trade/cancel-order"),
        Call("GET", "/api/v5/trade/order"),
        Call("GET", "/api/v5/trade/orders-pending"),
        Call("GET", "/api/v5/trade/fills-history", 2),
        Call("POST", "/api/v5/trade/order-algo"),
        Call("GET", "/api/v5/trade/order-algo"),
        Call("POST", "/api/v5/trade/cancel-algos"),
        Call("GET", "/api/v5/trade/orders-algo-pending"),
        Call("GET", "/api/v5/trade/orders-algo-history"),
        Call("POST", "/api/v5/trade/cancel-all-after", 10),
    ),
    envelope="data",
    # Twenty requests in two seconds, for each kind of most requests.
    weight_per_minute=600,
    sandbox=Sandbox("https://www.okx.com", MappingProxyType({"x-simulated-trading": "1"})),
    needs_passphrase=True,
    has_dead_man=True,
    order_id=re.compile(r"(stop-)?[0-9]{6,25}"),
    order_types=MARKET_STOPS,
    options=MappingProxyType(
        {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "createOrder": "privatePostTradeOrder",
            "tgtCcy": "base_ccy",
            "adjustForTimeDifference": False,
        }
    ),
    echoes=frozenset({"client_order_id"}),
    cancel_reports=False,
    codes=Codes(  # https://www.okx.com/docs-v5/en/#error-code
        refused=frozenset(str(code) for code in range(51000, 51180))
        | {*("51277", "51278", "51279", "51280")}
        | {*("50011", "50014", "50015", "50024", "50061", "50120")},
        unknown=frozenset({"50001", "50004", "50013", "50026", "51054", "51149"}),
        absent=frozenset({"51603"}),
        closed=frozenset({"51400", "51401", "51402", "51405", "51410", "51603"}),
        key=frozenset({"50105", "50110", "50111", "50113", "50114", "50119"}),
        clock=frozenset({"50102", "50112"}),
        overload=frozenset({"50011", "50061"}),
        duplicate=frozenset({"51016"}),
        names=MappingProxyType(
            {
                "51008": "insufficient_balance",
                "51001": "unknown_symbol",
                "51020": "order_too_small",
                "51120": "order_too_small",
                "Parameter px error": "off_step",
                "51021": "market_closed",
                "51022": "market_closed",
                "51027": "market_closed",
                "51028": "market_closed",
                "51121": "off_lot_step",
                "51137": "price_out_of_range",
                "51138": "price_out_of_range",
                "51278": "would_trigger_at_once",
                "51280": "would_trigger_at_once",
                "50120": "permission_denied",
            }
        ),
    ),
    trade_window_ms=30 * DAY_MS,
    trade_page=100,
)
